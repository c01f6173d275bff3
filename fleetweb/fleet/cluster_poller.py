"""Looking at one cluster, gently: one door at a time, once a second at most.

What watching costs exo was measured: `/state` takes about 100 ms of CPU of the machine asked, and
at 5 Hz it stretches the longest token gap of a stream there from 140 ms to 562 ms.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from fleetweb.core.doors import Door, in_order
from fleetweb.core.presence import Condition
from fleetweb.core.snapshot import ClusterSnapshot
from fleetweb.core.watch import ClusterWatch
from fleetweb.errors import ClusterError, ClusterReplyInvalid
from fleetweb.upstream.exo import Exo

from .once import Once

LIVELY_S: Final = 1.0  # somebody watches, or something happens
CALM_S: Final = 2.5
LONGEST_BACKOFF_S: Final = 10.0
DOORS_A_LOOK: Final = 3  # how many are tried before a look counts as missed
PROBE_TIMEOUT_S: Final = 2.0
PROBE_AGAIN_S: Final = 60.0

logger = logging.getLogger(__name__)
once = Once(logger)


class ClusterPoller:
    """Keeps one cluster's `watch` up to date; `looked` is called after every look."""

    def __init__(self, url: str, clock: Callable[[], datetime], looked: Callable[[], None]) -> None:
        self.name = urlsplit(url).netloc
        self.doors: dict[str, Door] = {url: Door(url)}
        self.watch = ClusterWatch(self.name, since=clock())
        self.watched = False  # whether somebody looks at the page
        self._clock = clock
        self._looked = looked
        self._asked_now = asyncio.Event()
        self._misses = 0
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
    def node_ids(self) -> frozenset[str]:
        snapshot = self.watch.snapshot
        return frozenset(node.id for node in snapshot.nodes) if snapshot else frozenset()

    async def look(self) -> None:
        """Ask one door; if it fails, the next. What came of it is in `watch`."""
        now = self._clock()
        for door in in_order(self.doors.values(), self._busy(), now)[:DOORS_A_LOOK]:
            try:
                snapshot = await Exo(door.url).state(now=now)
            except ClusterError as error:
                self._missed(door, error)
            except Exception as error:  # the watch must outlive an answer nobody foresaw
                if once.is_news(door.url, repr(error)):
                    logger.exception("The answer of exo at %s could not be read.", door.url)
                unread = f"What exo at {door.url} answered could not be read."
                self._missed(door, ClusterReplyInvalid(unread))
            else:
                self._heard(door, snapshot)
                return
        self._misses += 1

    def _heard(self, door: Door, snapshot: ClusterSnapshot) -> None:
        if snapshot.flaws and not snapshot.nodes:  # unreadable is not the same as empty
            unread = f"What exo at {door.url} answered names no machine that could be read."
            self._missed(door, ClusterReplyInvalid(unread))
            return
        self._misses = 0
        self.doors[door.url] = door.answered()
        self.watch = self.watch.heard(snapshot, door.url, self._clock())
        once.well(door.url, f"exo at {door.url} answers again.")
        if snapshot.flaws:
            once.warn(f"{door.url} flaws", f"exo at {door.url}: {'; '.join(snapshot.flaws)}.")
        self._learn_doors(snapshot)

    def _missed(self, door: Door, error: ClusterError) -> None:
        now = self._clock()
        invalid = isinstance(error, ClusterReplyInvalid)
        condition = Condition.INVALID if invalid else Condition.UNREACHABLE
        self.doors[door.url] = door.failed(now)
        self.watch = self.watch.missed(str(error), condition, door.url, now)
        once.warn(door.url, str(error))

    def _busy(self) -> frozenset[str]:
        return self.watch.snapshot.busy_node_ids if self.watch.snapshot else frozenset()

    async def _rest(self, started: float) -> None:
        """Until the next look: a second at least, however it is asked for."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, started + LIVELY_S - loop.time()))
        patience = started + self._interval() - loop.time()
        if patience > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked_now.wait(), patience)
        self._asked_now.clear()

    def _interval(self) -> float:
        """Seconds from one look to the next."""
        if self.watch.condition in (Condition.UNREACHABLE, Condition.INVALID):
            backoff = min(LONGEST_BACKOFF_S, LIVELY_S * 2.0 ** min(self._misses, 8))
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
        """Ask addresses that exo names whether they answer here too, and whose they are."""
        known = {door.node_id for door in self.doors.values()}
        ids = {node.id for node in snapshot.nodes}
        urls = [url for node in snapshot.nodes if node.id not in known for url in node.addresses]
        strangers = [d.url for d in self.doors.values() if d.node_id not in ids]
        now = asyncio.get_running_loop().time()
        for url in dict.fromkeys([*strangers, *urls]):
            if now - self._probed_at.get(url, -PROBE_AGAIN_S) >= PROBE_AGAIN_S:
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
