"""The poller as Channels' background worker, on the channel `exo-poller`."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, ClassVar, Final

from asgiref.typing import ASGIApplication
from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, get_channel_layer
from channels.worker import Worker

from .once import Once
from .poller import Poller

CHANNEL: Final = "exo-poller"
HEARS_AGAIN_AFTER_S: Final = 1.0

logger = logging.getLogger(__name__)


class PollerWorker(AsyncConsumer):
    """Passes what any process asks on to the poller that runs in this one, if one does."""

    poller: ClassVar[Poller | None] = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """At once. Channels would look after database connections first, in Django's one thread:

        nothing here has any, and news of streams would wait behind slow pages.
        """
        await getattr(self, get_handler_name(message))(message)

    async def poll_now(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        """`{"type": "poll.now"}`: look at exo as soon as it may be asked again."""
        if self.poller:
            self.poller.look_now()

    async def watchers_changed(self, message: dict[str, Any]) -> None:
        """`{"type": "watchers.changed", "process": …, "count": n}`: n look at the page there."""
        if self.poller:
            self.poller.watchers_changed(message["process"], message["count"])

    async def streams_changed(self, message: dict[str, Any]) -> None:
        """`{"type": "streams.changed", "process": …, "streams": […], "answered": […]}`."""
        if self.poller:
            self.poller.traffic.told(message["process"], message["streams"], message["answered"])


async def host(poller: Poller, application: ASGIApplication) -> None:
    """Run `poller`, and the worker that hears what is asked of it, until cancelled."""
    PollerWorker.poller = poller
    listening = asyncio.create_task(_listen(application))
    try:
        await poller.run()
    finally:
        PollerWorker.poller = None
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


class _Worker(Worker):
    """Channels' worker, which leaves nothing running behind when it is cancelled."""

    async def handle(self) -> None:
        try:
            await asyncio.gather(*(self.listener(channel) for channel in self.channels))
        finally:
            for instance in self.application_instances.values():
                instance["future"].cancel()


async def _listen(application: ASGIApplication) -> None:
    """Hear what is asked. A layer that breaks down costs what was asked meanwhile, no more."""
    once = Once(logger)
    while True:
        try:
            await _Worker(application, [CHANNEL], layer()).arun()
        except Exception as error:  # the layer's own kinds differ from one to the other
            once.warn("layer", f"The poller can't hear what is asked of it: {error!r}.")
        await asyncio.sleep(HEARS_AGAIN_AFTER_S)


async def ask(message: dict[str, Any]) -> None:
    """Send the poller a message, wherever it runs. A poller that does not read misses nothing."""
    with suppress(ChannelFull):
        await layer().send(CHANNEL, message)


def layer() -> BaseChannelLayer:
    """How processes reach each other. Never a queue of work, or the only copy of anything."""
    configured = get_channel_layer()
    assert configured is not None  # noqa: S101  settings always configure one
    return configured
