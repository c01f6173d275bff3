"""Pollers at work in this process, and what they say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from channels.db import database_sync_to_async

from fleetweb.core.presence import FleetPresence
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode
from fleetweb.fleet import live
from fleetweb.fleet.poller import Poller
from tests.rehearsal.waiting import until

from .looking import PATIENCE_S


@asynccontextmanager
async def watching(
    urls: Sequence[str], fleet: Sequence[FleetNode] = SOVEREIGN_FLEET
) -> AsyncIterator[Poller]:
    poller = Poller(urls, fleet)
    running = asyncio.create_task(poller.run())
    try:
        yield poller
        assert not running.done()  # whatever happened, it goes on
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def shown(so: Callable[[FleetPresence], Any] = lambda _: True) -> FleetPresence:
    """The presence that is published, once it is `so`."""

    async def look() -> FleetPresence | None:
        presence = await live.current()
        return presence if presence is not None and so(presence) else None

    found: FleetPresence = await until(look, PATIENCE_S)
    return found


async def recorded(look: Callable[[], Any]) -> Any:
    """What `look` finds in the database, once it is true."""
    return await until(lambda: in_database(look), PATIENCE_S)


async def in_database(look: Callable[[], Any]) -> Any:
    """What `look` finds now, by a connection of its own that is closed again."""
    return await database_sync_to_async(look, thread_sensitive=False)()


def everybody_here(presence: FleetPresence) -> bool:
    return all(node.exo for node in presence.nodes)
