"""The fleet as the router sees it: which doors there are, and what is known of each for a model."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from fleetweb.core.balancing import Candidate
from fleetweb.core.breaker import CircuitBreaker, admitted
from fleetweb.core.candidates import Door
from fleetweb.core.latency import PeakEwma
from fleetweb.core.presence import (
    ClusterPresence,
    CognitiveState,
    Condition,
    FleetPresence,
    NodePresence,
    ShardShare,
)
from fleetweb.core.snapshot import ENDING_PHASES, READY_PHASES, RunnerPhase

# A model needs room for what it remembers of a conversation besides its weights.
ROOM_FACTOR: Final = 1.15
NOT_AT_WORK = frozenset({CognitiveState.OFFLINE, CognitiveState.QUIET})
OVER = ENDING_PHASES | {RunnerPhase.FAILED}

Pace: TypeAlias = tuple[str, str, int]  # cluster, model, prompt bucket


@dataclass(frozen=True, slots=True)
class Placement:
    """One instance of a model: its parts by machine."""

    id: str
    cluster: str
    model_id: str
    shares: Mapping[str, ShardShare]
    troubles: Mapping[str, str]  # by machine, what keeps it from doing its part

    @property
    def is_ready(self) -> bool:
        return not self.troubles and all(s.phase in READY_PHASES for s in self.shares.values())

    @property
    def held_up(self) -> str | None:
        """The machine that it can't answer without, and what is the matter with it."""
        return next((f"{name} {trouble}" for name, trouble in self.troubles.items()), None)

    @property
    def is_loading(self) -> bool:
        phases = {share.phase for share in self.shares.values()}
        return not self.troubles and not self.is_ready and not phases & OVER


@dataclass(frozen=True, slots=True)
class Learned:
    """What the gateway has learned: time to first token and to load, and how doors have behaved."""

    ttft_ms: Mapping[Pace, PeakEwma]
    load_ms: Mapping[str, PeakEwma]
    breakers: Mapping[Door, CircuitBreaker]
    waiting: Mapping[str, int]  # requests in the queue before each cluster


class FleetView:
    """One presence, read for routing."""

    def __init__(self, presence: FleetPresence | None) -> None:
        self.clusters: tuple[ClusterPresence, ...] = presence.clusters if presence else ()
        self.nodes: tuple[NodePresence, ...] = presence.nodes if presence else ()
        self.work = presence.work if presence else ()
        self.placements = tuple(self._placements())

    def _placements(self) -> Iterable[Placement]:
        shares: dict[tuple[str, str], dict[str, ShardShare]] = {}
        for node in self.nodes:
            for share in node.shares:
                shares.setdefault((node.cluster or "", share.instance_id), {})[node.name] = share
        for (cluster, instance_id), parts in shares.items():
            model_id = next(iter(parts.values())).model_id
            yield Placement(instance_id, cluster, model_id, parts, self._troubles(parts))

    def _troubles(self, parts: Mapping[str, ShardShare]) -> dict[str, str]:
        found: dict[str, str] = {}
        everyone = {name for share in parts.values() for name in share.companions} | parts.keys()
        states = {node.name: node.load.state for node in self.nodes}
        for name in everyone:
            if name not in parts or states.get(name) is CognitiveState.OFFLINE:
                found[name] = "is gone"
            elif states[name] is CognitiveState.QUIET:
                found[name] = "has gone quiet"
            elif parts[name].phase is RunnerPhase.FAILED:
                found[name] = "has stumbled"
        return found

    @property
    def loaded(self) -> dict[str, int]:
        """Each model that is ready somewhere, with its requests in hand."""
        ready = {p.model_id for p in self.placements if p.is_ready}
        counts = Counter(work.model_id for work in self.work)
        return {model_id: counts[model_id] for model_id in sorted(ready)}

    def placements_of(self, model_id: str, cluster: str | None = None) -> tuple[Placement, ...]:
        return tuple(
            p for p in self.placements if p.model_id == model_id and cluster in (None, p.cluster)
        )

    def fits(self, cluster: str, size_bytes: int | None) -> bool | None:
        """Whether a model fits into the free memory of a cluster, with nothing evicted."""
        if size_bytes is None:
            return None
        return self.machines_for(cluster, size_bytes) is not None

    def machines_for(self, cluster: str, size_bytes: int) -> int | None:
        """How many machines, those with most room first, hold a model; None if all don't."""
        free = sorted(self._free_bytes(cluster), reverse=True)
        room = 0
        for number, bytes_free in enumerate(free, start=1):
            room += bytes_free
            if room >= size_bytes * ROOM_FACTOR:
                return number
        return None

    def free_bytes(self, cluster: str) -> int:
        return sum(self._free_bytes(cluster))

    def _free_bytes(self, cluster: str) -> Iterable[int]:
        for node in self.nodes:
            well = node.cluster == cluster and node.load.state not in NOT_AT_WORK
            if well and node.exo and node.exo.memory_available_bytes:
                yield node.exo.memory_available_bytes

    def candidates(
        self,
        model_id: str,
        bucket: int,
        learned: Learned,
        sizes: Mapping[str, int],
        now: datetime,
        *,
        without: Collection[Door] = (),
    ) -> list[Candidate]:
        """Every door of every cluster, with what is known of it for this model and prompt size."""
        return [
            candidate
            for cluster in self.clusters
            for candidate in self._doors(cluster, model_id, bucket, learned, sizes, now)
            if candidate.key not in without
        ]

    def _doors(
        self,
        cluster: ClusterPresence,
        model_id: str,
        bucket: int,
        learned: Learned,
        sizes: Mapping[str, int],
        now: datetime,
    ) -> Iterable[Candidate]:
        placements = self.placements_of(model_id, cluster.name)
        pace = learned.ttft_ms.get((cluster.name, model_id, bucket))
        load = learned.load_ms.get(model_id)
        holders = {name for p in placements for name in p.shares}
        breakers = {
            door.url: learned.breakers.get((cluster.name, door.url), CircuitBreaker())
            for door in cluster.doors
        }
        passable = admitted(breakers, now)
        nodes = {node.name: node for node in self.nodes}
        work = [w for w in self.work if w.cluster == cluster.name]
        for door in cluster.doors:
            node = nodes.get(door.node or "")
            exo = node.exo if node else None
            busy = any(w.model_id != model_id and door.node in w.nodes for w in work)
            yield Candidate(
                cluster=cluster.name,
                door=door.url,
                node=door.node or urlsplit(door.url).netloc,
                healthy=_is_well(cluster, node) and door.answers,
                breaker=breakers[door.url].state(now),
                admitted=door.url in passable,
                loaded=any(p.is_ready for p in placements),
                loading=any(p.is_loading for p in placements),
                held_up=next((p.held_up for p in placements if p.held_up), None),
                fits=self.fits(cluster.name, sizes.get(model_id)),
                holds_shard=door.node in holders,
                busy_elsewhere=busy,
                in_hand=sum(w.model_id == model_id for w in work),
                waiting=learned.waiting.get(cluster.name, 0),
                memory_free_bytes=exo.memory_available_bytes if exo else None,
                gpu_usage=exo.gpu_usage if exo else None,
                ttft_ms=pace.value(now) if pace else None,
                ttft_samples=pace.samples if pace else 0,
                load_ms=load.value(now) if load else None,
            )


def _is_well(cluster: ClusterPresence, node: NodePresence | None) -> bool:
    """A machine that can't be told apart behind its door is as well as its cluster."""
    answers = cluster.condition in (Condition.WELL, Condition.REELECTED, Condition.FORMING)
    return answers and (node is None or node.load.state not in NOT_AT_WORK)
