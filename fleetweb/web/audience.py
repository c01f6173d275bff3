"""How many look at the page from this process, and telling the poller so."""

import os
import socket
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from fleetweb.fleet import worker

# The poller forgets watchers that are not confirmed for 15 s.
CONFIRMED_EVERY: Final = timedelta(seconds=5)


class Audience:
    """The open sockets of this process. One report stands for all of them."""

    def __init__(self) -> None:
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._sockets: set[object] = set()
        self._reported_at: datetime | None = None

    async def join(self, viewer: object) -> None:
        self._sockets.add(viewer)
        await self._report()

    async def leave(self, viewer: object) -> None:
        self._sockets.discard(viewer)
        await self._report()

    async def confirm(self) -> None:
        """Say again that they are still here, if it was not said just now."""
        now = timezone.now()
        if self._reported_at is None or now - self._reported_at >= CONFIRMED_EVERY:
            await self._report()

    async def _report(self) -> None:
        self._reported_at = timezone.now()
        count = len(self._sockets)
        await worker.ask({"type": "watchers.changed", "process": self._process, "count": count})


audience = Audience()
