"""The poller as Channels' background worker, on the channel `exo-poller`."""

import asyncio
from contextlib import suppress
from typing import Any, ClassVar, Final

from asgiref.typing import ASGIApplication
from channels.consumer import AsyncConsumer
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, get_channel_layer
from channels.worker import Worker

from .poller import Poller

CHANNEL: Final = "exo-poller"


class PollerWorker(AsyncConsumer):
    """Passes what any process asks on to the poller that runs in this one, if one does."""

    poller: ClassVar[Poller | None] = None

    async def poll_now(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        """`{"type": "poll.now"}`: look at exo as soon as it may be asked again."""
        if self.poller:
            self.poller.look_now()

    async def watchers_changed(self, message: dict[str, Any]) -> None:
        """`{"type": "watchers.changed", "process": …, "count": n}`: n look at the page there."""
        if self.poller:
            self.poller.watchers_changed(message["process"], message["count"])


async def host(poller: Poller, application: ASGIApplication) -> None:
    """Run `poller`, and the worker that hears what is asked of it, until cancelled."""
    PollerWorker.poller = poller
    worker = Worker(application, [CHANNEL], layer())
    listening = asyncio.create_task(worker.arun())
    try:
        await poller.run()
    finally:
        PollerWorker.poller = None
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def ask(message: dict[str, Any]) -> None:
    """Send the poller a message, wherever it runs. A poller that does not read misses nothing."""
    with suppress(ChannelFull):
        await layer().send(CHANNEL, message)


def layer() -> BaseChannelLayer:
    """How processes reach each other. Never a queue of work, or the only copy of anything."""
    configured = get_channel_layer()
    assert configured is not None  # noqa: S101  settings always configure one
    return configured
