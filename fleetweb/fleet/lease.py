"""Who polls: of any number of processes exactly one, by a row in the database."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from channels.db import database_sync_to_async
from django.db import Error as DatabaseTrouble

from .models import PollerLease
from .once import Once

RENEWED_EVERY_S: Final = 1.0
VALID_FOR: Final = timedelta(seconds=3.5)

# Not the one thread that all other sync calls share: a locked database must hold up nothing else.
aside = partial(database_sync_to_async, thread_sensitive=False)

logger = logging.getLogger(__name__)


class Lease:
    """This process's claim to be the one who polls.

    `is_elsewhere` says whether somebody else was found to hold it. `previous_beat` is when whoever
    held it before was last at work. `is_certain` is False while the database does not answer:
    `held` is then what held before.
    """

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self.held = False
        self.is_elsewhere = False
        self.is_certain = True
        self.previous_beat: datetime | None = None
        self._once = Once(logger)

    async def keep(self, turned: Callable[[], None]) -> None:
        """Take or renew it every second until cancelled; `turned` is called when `held` turns."""
        while True:
            before = self.held
            try:
                await self._claim()
            except DatabaseTrouble as error:
                self.is_certain = False
                self._once.warn("database", f"The database does not answer: {error}".strip())
            else:
                self.is_certain = True
                self._once.well("database", "The database answers again.")
            if self.held is not before:
                turned()
            await asyncio.sleep(RENEWED_EVERY_S)

    async def give_up(self) -> None:
        """Let the next one begin at once. Raises what the database raises."""
        if self.held:
            self.held = False
            await aside(PollerLease.objects.give_up)(self.holder)

    async def _claim(self) -> None:
        last_beat = await aside(PollerLease.objects.take)(self.holder, VALID_FOR)
        if last_beat is None:
            self._once.warn("lease", "Another poller is at work; this one stands by.")
        elif not self.held:
            self.previous_beat = last_beat
            self._once.well("lease", "This poller takes over.")
        self.held = last_beat is not None
        self.is_elsewhere = not self.held
