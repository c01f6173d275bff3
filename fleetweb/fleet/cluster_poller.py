"""Looking at one cluster, gently: one door at a time, once a second at most.

What watching costs exo was measured: `/state` takes about 100 ms of CPU of the machine asked, and
at 5 Hz it stretches the longest token gap of a stream there from 140 ms to 562 ms.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from fleetweb.core.doors import Door, in_order
from fleetweb.core.presence import Condition
from fleetweb.core.snapshot import ClusterSnapshot
from fleetweb.core.watch import ClusterWatch
from fleetweb.errors import ClusterError, ClusterReplyInvalid
from fleetweb.upstream.exo import Exo
from fleetweb.upstream.http import shown

from .once import Once

LIVELY_S: Final = 1.0  # somebody watches, or something happens
CALM_S: Final = 2.5
LONGEST_BACKOFF_S: Final = 10.0
PROBE_TIMEOUT_S: Final = 2.0
PROBE_AGAIN_S: Final = 30.0

logger = logging.getLogger(__name__)


class ClusterPoller:
    """Keeps one cluster's `watch` up to date; `looked` is called after every look."""

    def __init__(self, url: str, clock: Callable[[], datetime], looked: Callable[[], None]) -> None:
        self.name = urlsplit(url).netloc.rpartition("@")[2]
        self.doors: dict[str, Door] = {url: Door(url)}
        self.watch = ClusterWatch(self.name, since=clock())
        self.watched = False  # whether somebody looks at the page
        self._clock = clock
        self._looked = looked
        self._once = Once(logger)
        self._asked_now = asyncio.Event()
        self._misses = 0
        self._doubted = False
        self._probed_at: dict[str, float] = {}
        self._probes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look, wait, look again; ends only by being cancelled."""
        try:
            while True:
                started = asyncio.get_running_loop().time()
                await self.look()
                self._looked()
                await self._rest(started)
        finally:
            for probe in self._probes:
                probe.cancel()
            await asyncio.gather(*self._probes, return_exceptions=True)

    def look_now(self) -> None:
        """Look as soon as exo may be asked again."""
        self._asked_now.set()

    def adopt(self, other: "ClusterPoller") -> None:
        """Take over the doors of what turned out to be the same cluster."""
        self.doors = {**self.doors, **other.doors}

    @property
    def seen(self) -> ClusterWatch:
        """All that is known of the cluster, its doors included."""
        return replace(self.watch, doors=tuple(self.doors.values()))

    @property
    def node_ids(self) -> frozenset[str]:
        snapshot = self.watch.snapshot
        return frozenset(node.id for node in snapshot.nodes) if snapshot else frozenset()

    async def look(self) -> None:
        """Ask the best door; if it fails, the next look asks another. `watch` is what came of it.

        Never two doors in one look: what one of them answers badly has cost the cluster as much
        as a good answer.
        """
        door = in_order(self.doors.values(), self.node_ids, self._busy())[0]
        before = self.watch.condition
        try:
            snapshot = await Exo(door.url).state(now=self._clock())
            self._take_in(door, snapshot)
        except ClusterError as error:
            self._missed(door, error)
        except Exception as error:  # the watch must outlive an answer nobody foresaw
            where = shown(door.url)
            if self._once.is_news("unforeseen", repr(error)):
                logger.exception("The answer of exo at %s could not be read.", where)
            self._missed(door, ClusterReplyInvalid(f"exo at {where} answered unreadably"))
        self._tell(before)

    def _take_in(self, door: Door, snapshot: ClusterSnapshot) -> None:
        """Believe an answer, or raise ClusterReplyInvalid."""
        where = shown(door.url)
        if snapshot.flaws and not snapshot.nodes:  # unreadable is not the same as empty
            raise ClusterReplyInvalid(f"exo at {where} names no machine that could be read")
        if self._is_doubtful(door, snapshot):
            raise ClusterReplyInvalid(f"exo at {where} does not count itself in; is it starting?")
        self._misses = 0
        self.doors[door.url] = self.doors[door.url].answered()
        self.watch = self.watch.heard(snapshot, where, self._clock())
        self._once.well(where, f"exo at {where} answers again.")
        if snapshot.flaws:
            self._once.warn(f"{where} flaws", f"exo at {where}: {'; '.join(snapshot.flaws)}.")
        self._learn_doors(snapshot)

    def _is_doubtful(self, door: Door, snapshot: ClusterSnapshot) -> bool:
        """Whether the machine asked is missing from its own answer, and another may know better.

        It is when its exo was just started: it has a new id, and shows itself alone or nobody.
        After an election it is the same at every door, so the second that says so is believed.
        """
        missing = door.node_id is not None and snapshot.node(door.node_id) is None
        others = any(d.node_id in self.node_ids - {door.node_id} for d in self.doors.values())
        self._doubted = missing and others and not self._doubted
        return self._doubted

    def _missed(self, door: Door, error: ClusterError) -> None:
        now = self._clock()
        self._misses += 1
        invalid = isinstance(error, ClusterReplyInvalid)
        condition = Condition.INVALID if invalid else Condition.UNREACHABLE
        self.doors[door.url] = self.doors[door.url].failed(now)
        for url, other in self.doors.items():  # a machine that hangs does so at all its addresses
            if door.node_id is not None and other.node_id == door.node_id:
                self.doors[url] = other.failed(now)
        self.watch = self.watch.missed(str(error), condition, shown(door.url), now)
        self._once.warn(shown(door.url), str(error))

    def _tell(self, before: Condition) -> None:
        """Log a view that stands still or starts over; failures are logged door by door."""
        after = self.watch.condition
        if after is not before and after in (Condition.FROZEN, Condition.REELECTED):
            logger.warning("The cluster at %s is %s.", self.name, after.value)
        elif after is Condition.WELL and before in (Condition.FROZEN, Condition.REELECTED):
            logger.info("The cluster at %s is well again.", self.name)

    def _busy(self) -> frozenset[str]:
        return self.watch.snapshot.busy_node_ids if self.watch.snapshot else frozenset()

    async def _rest(self, started: float) -> None:
        """Until the next look: a second at least, however it is asked for.

        The second counts from the answer, because nobody knows when the question arrived. One that
        was long in coming had cost as much work: then as long again.
        """
        loop = asyncio.get_running_loop()
        took = loop.time() - started
        await asyncio.sleep(max(0.0, LIVELY_S - took) if self._misses else max(took, LIVELY_S))
        patience = started + self._interval() - loop.time()
        if patience > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):  # wait_for can lose a cancellation
                    await self._asked_now.wait()
        self._asked_now.clear()

    def _interval(self) -> float:
        """Seconds from one look to the next."""
        rounds, tried = divmod(self._misses, len(self.doors))
        if rounds and not tried:  # every door has failed once more
            backoff = min(LONGEST_BACKOFF_S, LIVELY_S * 2.0 ** min(rounds, 8))
            return backoff * random.uniform(0.7, 1.0)  # noqa: S311  spreads, hides nothing
        return LIVELY_S if self.watched or self._misses or self._is_lively() else CALM_S

    def _is_lively(self) -> bool:
        """Whether something goes on that a person would want to see at once."""
        snapshot = self.watch.snapshot
        if snapshot is None or self.watch.condition is not Condition.WELL:
            return True
        waking = any(not instance.is_ready for instance in snapshot.instances)
        return waking or bool(snapshot.tasks or self.watch.learning)

    def _learn_doors(self, snapshot: ClusterSnapshot) -> None:
        """Ask addresses that exo names whether they answer here too, and whose they are.

        Doors that failed, or whose machine is not here any more, are asked again.
        """
        here = {node.id for node in snapshot.nodes}
        well = {d.url for d in self.doors.values() if d.node_id in here and not d.failed_at}
        owned = {self.doors[url].node_id for url in well}
        named = [url for node in snapshot.nodes if node.id not in owned for url in node.addresses]
        now = asyncio.get_running_loop().time()
        for url in dict.fromkeys([*self.doors, *named]):
            if url not in well and now - self._probed_at.get(url, -PROBE_AGAIN_S) >= PROBE_AGAIN_S:
                self._probed_at[url] = now
                probe = asyncio.create_task(self._probe(url))
                self._probes.add(probe)
                probe.add_done_callback(self._probes.discard)

    async def _probe(self, url: str) -> None:
        try:
            node_id = await Exo(url).node_id(timeout_s=PROBE_TIMEOUT_S)
        except ClusterError:
            return
        if url in self.doors or node_id in self.node_ids:
            self.doors[url] = Door(url, node_id)
