"""The sockets of this process that see the same, and one subscription for all of them."""

import asyncio
import logging
from functools import cache
from typing import Any, Final, Protocol

from channels.layers import InMemoryChannelLayer

from fleetweb.fleet import worker
from fleetweb.fleet.once import Once

OWNERS: Final = "presence-owners"
GUESTS: Final = "presence-guests"
# So many at a go; then whoever waits for the loop has a turn: tokens come before presence.
AT_ONCE: Final = 10
SUBSCRIBED_WITHIN_S: Final = 5.0
HEARS_AGAIN_AFTER_S: Final = 1.0

logger = logging.getLogger(__name__)


class Viewer(Protocol):
    def told(self, push: dict[str, Any]) -> None:
        """Take in what was pushed, without waiting for anything."""


class Gallery:
    """Those who see the same, in this process.

    A channel for each of them would cost two tasks, a copy, a change of threads and a look through
    all other channels, for every push and every socket: at 200 sockets 8 pushes a second came down
    to 1.4, and tokens waited behind them.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self._viewers: set[Viewer] = set()
        self._hearing: asyncio.Task[None] | None = None
        self._once = Once(logger)

    @property
    def is_deserted(self) -> bool:
        """Whether nobody is in it, nor can be in another process: this layer reaches none."""
        return not self._viewers and isinstance(worker.layer(), InMemoryChannelLayer)

    async def join(self, viewer: Viewer) -> None:
        """Whatever is pushed after this is told. Raises TimeoutError while the layer is down."""
        self._viewers.add(viewer)
        if self._hearing is None or self._hearing.done():
            self._subscribed = asyncio.Event()
            self._hearing = asyncio.create_task(self._hear(self._subscribed))
        async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
            await self._subscribed.wait()

    async def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if self._hearing and not self._viewers:
            hearing, self._hearing = self._hearing, None
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, subscribed: asyncio.Event) -> None:
        """A layer that breaks down costs what was pushed meanwhile, no more."""
        while True:
            try:
                await self._listen(subscribed)
            except Exception as error:  # the layer's own kinds differ from one to the other
                subscribed.clear()
                self._once.warn("layer", f"Pages can't hear what is pushed to them: {error!r}.")
            await asyncio.sleep(HEARS_AGAIN_AFTER_S)

    async def _listen(self, subscribed: asyncio.Event) -> None:
        layer = worker.layer()
        channel = await layer.new_channel()
        await layer.group_add(self.group, channel)
        self._once.well("layer", "Pages hear again what is pushed to them.")
        subscribed.set()
        try:
            while True:
                await self._tell(await layer.receive(channel))
        finally:
            await layer.group_discard(self.group, channel)

    async def _tell(self, push: dict[str, Any]) -> None:
        for number, viewer in enumerate(tuple(self._viewers), start=1):
            viewer.told(push)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)


@cache
def gallery_of(*, owner: bool) -> Gallery:
    return Gallery(OWNERS if owner else GUESTS)
