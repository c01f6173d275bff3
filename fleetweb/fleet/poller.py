"""The one who watches: holds the lease, polls every cluster, folds what it sees, tells everybody.

Any number of processes may run one. Exactly one of them polls; the others take over within five
seconds of its death.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone

from fleetweb.core.inference import infer
from fleetweb.core.presence import FleetPresence
from fleetweb.core.roster import FleetNode

from . import live
from .cluster_poller import ClusterPoller
from .memory import Memory
from .models import PollerLease
from .once import Once
from .signals import presence_published

BEAT_S: Final = 1.0
LEASE_VALID_FOR: Final = timedelta(seconds=3.5)
WATCHERS_FORGOTTEN_AFTER: Final = timedelta(seconds=15)

logger = logging.getLogger(__name__)
once = Once(logger)


def wall_clock() -> datetime:
    """Now, in the owner's time zone: what is read here agrees with the clock on the wall."""
    return timezone.localtime()


class Poller:
    """Watches the clusters at `urls`; `fleet` are the machines their owner listed."""

    def __init__(
        self, urls: Sequence[str], fleet: Sequence[FleetNode], *, rehearsal: bool = False
    ) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._urls = tuple(urls)
        self._fleet = tuple(fleet)
        self._rehearsal = rehearsal
        self._news = asyncio.Event()
        self._clusters: dict[ClusterPoller, asyncio.Task[None]] = {}
        self._memory = Memory()
        self._presence: FleetPresence | None = None
        self._renewed_at: datetime | None = None
        self._watchers: dict[str, tuple[int, datetime]] = {}

    async def run(self) -> None:
        """Watch until cancelled; then close what was open and let the next one begin."""
        try:
            while True:
                await self._survive()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), BEAT_S)
                self._news.clear()
        finally:
            await self._stand_down()

    def look_now(self) -> None:
        """Somebody wants to see the present: ask every cluster as soon as it may be asked."""
        for cluster in self._clusters:
            cluster.look_now()

    def watchers_changed(self, process: str, count: int) -> None:
        """How many look at the page in `process`; forgotten unless it is said again."""
        before = self.watchers
        self._watchers[process] = (count, wall_clock() + WATCHERS_FORGOTTEN_AFTER)
        if self.watchers > before:
            self.look_now()

    @property
    def watchers(self) -> int:
        now = wall_clock()
        return sum(count for count, until in self._watchers.values() if until > now)

    async def _survive(self) -> None:
        """One beat. What goes wrong in it costs this beat only, and is logged when it changes."""
        try:
            await self.beat()
        except DatabaseError as error:
            self._memory.forget()
            once.warn("database", f"The database does not answer: {error}".strip())
        except Exception as error:  # the watch must outlive every single mistake
            if once.is_news("beat", repr(error)):
                logger.exception("A beat of the poller failed.")
        else:
            once.well("database", "The database answers again.")
            once.well("beat", "The poller is well again.")

    async def beat(self) -> None:
        """Hold the lease, see what is new, publish it, write it down."""
        if not await self._hold_lease():
            await self._stop_clusters()
            return
        await self._unite()
        watchers = self.watchers
        for cluster in self._clusters:
            cluster.watched = watchers > 0
        watches = [cluster.watch for cluster in self._clusters]
        if any(watch.snapshot is None and watch.problem is None for watch in watches):
            return  # somebody has not been asked yet: nothing can be said of its machines
        now = wall_clock()
        seen = infer(self._fleet, watches, self._presence, now, rehearsal=self._rehearsal)
        self._presence = replace(seen, sequence=self._next_sequence(now))
        await live.publish(self._presence)
        await presence_published.asend(Poller, presence=self._presence, watchers=watchers)
        await database_sync_to_async(self._memory.remember)(self._presence)

    def _next_sequence(self, now: datetime) -> int:
        """Rises with every beat, and over all pollers that ever took the lease."""
        before = self._presence.sequence if self._presence else 0
        return max(before + 1, int(now.timestamp()))

    async def _hold_lease(self) -> bool:
        """Whether this is the one who polls; taking the lease begins the polling."""
        now = wall_clock()
        if self._renewed_at and now - self._renewed_at < timedelta(seconds=BEAT_S * 0.9):
            return True
        take = database_sync_to_async(PollerLease.objects.take)
        last_beat = await take(self.holder, LEASE_VALID_FOR)
        if last_beat is None:
            once.warn("lease", "Another poller is at work; this one stands by.")
            self._renewed_at = None
            return False
        if self._renewed_at is None:
            await self._begin(last_beat, now)
        self._renewed_at = now
        return True

    async def _begin(self, last_beat: datetime, now: datetime) -> None:
        once.well("lease", "This poller takes over.")
        recall = database_sync_to_async(self._memory.recall)
        self._presence = await recall(self._fleet, last_beat, now)
        for url in self._urls:
            cluster = ClusterPoller(url, wall_clock, self._news.set)
            self._clusters[cluster] = asyncio.create_task(cluster.run())

    async def _unite(self) -> None:
        """Two addresses are doors of one cluster if their topologies share a machine."""
        for cluster in list(self._clusters):
            for other in list(self._clusters):
                joined = cluster in self._clusters and other in self._clusters
                if joined and cluster is not other and cluster.node_ids & other.node_ids:
                    cluster.adopt(other)
                    await _end([self._clusters.pop(other)])

    async def _stop_clusters(self) -> None:
        tasks = list(self._clusters.values())
        self._clusters.clear()
        await _end(tasks)

    async def _stand_down(self) -> None:
        await self._stop_clusters()
        if self._renewed_at is not None:
            now = wall_clock()
            await database_sync_to_async(self._memory.close)(now)
            await database_sync_to_async(PollerLease.objects.give_up)(self.holder)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
