"""The one who watches: holds the lease, polls every cluster, folds what it sees, tells everybody.

Any number of processes may run one. Exactly one of them polls; the others take over within five
seconds of its death.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import Error as DatabaseTrouble
from django.utils import timezone

from fleetweb.core import words
from fleetweb.core.inference import infer, nobody_yet
from fleetweb.core.presence import FleetPresence
from fleetweb.core.roster import FleetNode

from . import live
from .cluster_poller import ClusterPoller
from .lease import Lease, aside
from .memory import Memory, still_expected
from .once import Once
from .signals import presence_published
from .traffic import Traffic
from .upkeep import keep_up

BEAT_S: Final = 1.0
SHORTEST_BEAT_S: Final = 0.05  # however much happens at once
RESTS: Final = 3.0  # times as long as a beat took: streams come before presence
LONGEST_BEAT_S: Final = 5.0
WATCHERS_FORGOTTEN_AFTER_S: Final = 15.0

logger = logging.getLogger(__name__)


def wall_clock() -> datetime:
    """Now, in the owner's time zone: what is read here agrees with the clock on the wall."""
    return timezone.localtime()


class Poller:
    """Watches the clusters at `urls`; `fleet` are the machines their owner listed."""

    def __init__(
        self, urls: Sequence[str], fleet: Sequence[FleetNode], *, rehearsal: bool = False
    ) -> None:
        self.lease = Lease()
        self._urls = tuple(dict.fromkeys(urls))
        self._fleet = tuple(fleet)
        self._rehearsal = rehearsal
        self._news = asyncio.Event()
        self._clusters: dict[ClusterPoller, asyncio.Task[None]] = {}
        self.traffic = Traffic(self._news.set)
        self._memory = Memory()
        self._writing: asyncio.Task[None] | None = None
        self._presence: FleetPresence | None = None
        self._watchers: dict[str, tuple[int, float]] = {}
        self._once = Once(logger)

    async def run(self) -> None:
        """Watch until cancelled; then close what was open and let the next one begin."""
        holding = asyncio.create_task(self.lease.keep(self._news.set))
        keeping_up = asyncio.create_task(keep_up(lambda: self.lease.held))
        try:
            while True:
                began = _seconds()
                await self._survive()
                took = _seconds() - began
                await asyncio.sleep(max(SHORTEST_BEAT_S - took, min(RESTS * took, BEAT_S)))
                # Not wait_for: in Python 3.11 it loses a cancellation that comes with the news.
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await self._news.wait()
                self._news.clear()
        finally:
            await _end([holding, keeping_up])
            await self._stand_down()

    def look_now(self) -> None:
        """Somebody wants to see the present: ask every cluster as soon as it may be asked."""
        for cluster in self._clusters:
            cluster.look_now()

    def watchers_changed(self, process: str, count: int) -> None:
        """How many look at the page in `process`; forgotten unless it is said again."""
        before = self.watchers
        self._watchers[process] = (count, _seconds() + WATCHERS_FORGOTTEN_AFTER_S)
        if self.watchers > before:
            self.look_now()

    @property
    def watchers(self) -> int:
        now = _seconds()
        self._watchers = {p: told for p, told in self._watchers.items() if told[1] > now}
        return sum(count for count, _ in self._watchers.values())

    async def _survive(self) -> None:
        """One beat. What goes wrong in it costs this beat only, and is logged when it changes."""
        try:
            async with asyncio.timeout(LONGEST_BEAT_S):
                await self.beat()
        except Exception as error:  # the watch must outlive every single mistake
            if self._once.is_news("beat", repr(error)):
                logger.exception("A beat of the poller failed.")
        else:
            self._once.well("beat", "The poller is well again.")

    async def beat(self) -> None:
        """See what is new, publish it, and have it written down; if it is this one who polls."""
        if not await self._polls():
            await self._stop_clusters()
            await self._stand_by()
            return
        if not self._clusters and not await self._begin():
            return
        await self._unite()
        for cluster in self._clusters:
            cluster.watched = self.watchers > 0
        watches = [cluster.seen for cluster in self._clusters]
        if any(watch.snapshot is None and watch.problem is None for watch in watches):
            return  # somebody has not been asked yet: nothing can be said of its machines
        now = wall_clock()
        before = still_expected(self._presence, self._fleet, now) if self._presence else None
        seen = infer(
            self._fleet,
            watches,
            before,
            now,
            streams=self.traffic.streams,
            answered=self.traffic.answered,
            rehearsal=self._rehearsal,
        )
        self._presence = replace(seen, sequence=self._next_sequence(now))
        await self._tell(self._presence)
        self._write_down(self._presence)

    async def _stand_by(self) -> None:
        """Say who watches, where nobody else can: what they publish does not reach this process."""
        shown = await live.current()
        unseen = shown is None or shown.sentence == words.FLEET_WATCHED_ELSEWHERE
        if unseen and self.lease.is_elsewhere and live.is_near():
            now = wall_clock()
            here = replace(nobody_yet(now), sentence=words.FLEET_WATCHED_ELSEWHERE)
            sequence = self._next_sequence(now)
            await self._tell(replace(here, rehearsal=self._rehearsal, sequence=sequence))

    async def _tell(self, presence: FleetPresence) -> None:
        await live.publish(presence)
        await presence_published.asend(Poller, presence=presence, watchers=self.watchers)

    async def _polls(self) -> bool:
        """Whether this one polls. While the database does not answer, whoever polled goes on,

        unless somebody else is seen to: it may be this process alone that can't reach it.
        """
        if not self.lease.held or self.lease.is_certain or self._presence is None:
            return self.lease.held
        shown = await live.current()
        return shown is None or shown.sequence <= self._presence.sequence

    def _next_sequence(self, now: datetime) -> int:
        """Rises with every beat, and over all pollers that ever took the lease."""
        before = self._presence.sequence if self._presence else 0
        return max(before + 1, math.floor(now.timestamp() * 1000))

    async def _begin(self) -> bool:
        """Take up the polling where it was left; False while the database does not answer."""
        now = wall_clock()
        recall = aside(self._memory.recall)
        try:
            recalled = await recall(self._fleet, self.lease.previous_beat or now, now)
        except DatabaseTrouble as error:
            self._once.warn("database", f"What was remembered can't be read: {error}".strip())
            return False
        shown = await live.current()  # by a poller whose clock may be ahead of this one's
        self._presence = replace(recalled, sequence=shown.sequence if shown else 0)
        for url in self._urls:
            cluster = ClusterPoller(url, wall_clock, self._news.set)
            self._clusters[cluster] = asyncio.create_task(cluster.run())
        return True

    async def _unite(self) -> None:
        """Two addresses are doors of one cluster if their topologies share a machine."""
        for cluster in list(self._clusters):
            for other in list(self._clusters):
                joined = cluster in self._clusters and other in self._clusters
                if joined and cluster is not other and cluster.node_ids & other.node_ids:
                    cluster.adopt(other)
                    await _end([self._clusters.pop(other)])

    def _write_down(self, presence: FleetPresence) -> None:
        """Beside the beat: a slow database delays what is written, never what is shown."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._remember(presence))

    async def _remember(self, presence: FleetPresence) -> None:
        try:
            await aside(self._memory.remember)(presence)
        except DatabaseTrouble as error:
            self._memory.forget()
            self._once.warn("database", f"What is seen can't be written down: {error}".strip())
        except Exception as error:  # as above: it costs what would have been written
            self._memory.forget()
            if self._once.is_news("memory", repr(error)):
                logger.exception("What is seen could not be written down.")
        else:
            self._once.well("database", "What is seen is written down again.")
            self._once.well("memory", "What is seen is written down again.")

    async def _stop_clusters(self) -> None:
        tasks = list(self._clusters.values())
        self._clusters.clear()
        await _end(tasks)

    async def _stand_down(self) -> None:
        began = bool(self._clusters)
        await self._stop_clusters()
        if self._writing is not None:
            await self._writing
        try:
            if began:
                await aside(self._memory.close)(wall_clock())
            await self.lease.give_up()
        except DatabaseTrouble as error:
            logger.warning("What was open could not be closed: %s", error)


def _seconds() -> float:
    return asyncio.get_running_loop().time()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
