"""The gateway that runs here."""

import asyncio
from weakref import WeakKeyDictionary

from .config import configured
from .service import Gateway

_gateways: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


def gateway() -> Gateway:
    """The gateway of the running event loop, made when it is first asked for."""
    loop = asyncio.get_running_loop()
    if loop not in _gateways:
        _gateways[loop] = Gateway(configured())
    return _gateways[loop]


async def close_gateway() -> None:
    """End the gateway of the running loop, if there is one; what it has to write is written."""
    running = _gateways.pop(asyncio.get_running_loop(), None)
    if running is not None:
        await running.close()
