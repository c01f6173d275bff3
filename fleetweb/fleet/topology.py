"""The present topology, for everyone who has to choose a machine or to say how the fleet is."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.utils import timezone

from fleetweb.core.presence import CognitiveState, FleetPresence, NodePresence
from fleetweb.core.roster import Role
from fleetweb.core.snapshot import READY_PHASES

from . import live
from .worker import ask

WINDOW: Final = timedelta(minutes=5)
LATENCIES_KEPT: Final = 256
# Fewer requests than this say nothing about a machine.
ENOUGH_REQUESTS: Final = 5
TOLERATED_ERROR_RATE: Final = 0.5
GIB: Final = 2**30

UNWELL = frozenset({CognitiveState.OFFLINE, CognitiveState.QUIET, CognitiveState.STUMBLED})


class FleetStatus(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The fleet in figures. Memory is what exo reports, else what its owner configured, in GiB.

    `available_memory_gb` counts machines that are here; None if none of them says.
    `master_node` is the owner's king, if it is here: exo does not say who its master is.
    """

    total_nodes: int
    healthy_nodes: int
    total_memory_gb: int
    available_memory_gb: float | None
    loaded_models: tuple[str, ...]
    master_node: str | None
    status: FleetStatus


class NodeMetrics:
    """How requests to one machine went in the last five minutes. Old errors are forgotten."""

    def __init__(self) -> None:
        self._outcomes: deque[tuple[datetime, float, bool]] = deque(maxlen=LATENCIES_KEPT)

    def record(self, latency_ms: float, *, success: bool, now: datetime) -> None:
        self._outcomes.append((now, latency_ms, success))

    def requests(self, now: datetime) -> int:
        return len(self._recent(now))

    def error_rate(self, now: datetime) -> float | None:
        """0..1, None where there were too few requests to tell."""
        recent = self._recent(now)
        if len(recent) < ENOUGH_REQUESTS:
            return None
        return sum(not success for _, _, success in recent) / len(recent)

    def mean_latency_ms(self, now: datetime) -> float | None:
        """Of the requests that went well, None where there were none."""
        latencies = [latency for _, latency, success in self._recent(now) if success]
        return sum(latencies) / len(latencies) if latencies else None

    def is_healthy(self, now: datetime) -> bool:
        rate = self.error_rate(now)
        return rate is None or rate < TOLERATED_ERROR_RATE

    def _recent(self, now: datetime) -> list[tuple[datetime, float, bool]]:
        return [outcome for outcome in self._outcomes if now - outcome[0] <= WINDOW]


class ClusterTopologyService:
    """Answers from the presence last published; what it records is this process's own."""

    def __init__(self) -> None:
        self._metrics: dict[str, NodeMetrics] = {}

    async def refresh_topology(self) -> FleetPresence | None:
        """The newest presence; exo is asked again as soon as it may be. None before the first."""
        await ask({"type": "poll.now"})
        return await live.current()

    async def get_nodes_for_model(self, model: str) -> tuple[NodePresence, ...]:
        """The well machines that hold a part of `model` (exo's id) that is ready."""
        return tuple(
            node
            for node in await self._well()
            if any(share.model_id == model and share.phase in READY_PHASES for share in node.shares)
        )

    async def get_healthiest_node(self) -> NodePresence | None:
        """The well machine that works least; of equals, the one with most free memory."""

        def key(node: NodePresence) -> tuple[float, int]:
            free = node.exo.memory_available_bytes if node.exo else None
            return node.load.intensity, -(free or 0)

        return min(await self._well(), key=key, default=None)

    def record_request(self, node: str, latency_ms: float, success: bool) -> None:
        """How a request to the machine called `node` went."""
        self.metrics_of(node).record(latency_ms, success=success, now=timezone.now())

    def metrics_of(self, node: str) -> NodeMetrics:
        return self._metrics.setdefault(node, NodeMetrics())

    async def get_cluster_status(self) -> ClusterStatus:
        presence = await live.watched(timezone.now())
        return self.status_of(presence.nodes if presence else ())

    def status_of(self, nodes: tuple[NodePresence, ...]) -> ClusterStatus:
        well = [node for node in nodes if self._is_well(node)]
        free = [n.exo.memory_available_bytes for n in nodes if n.exo]
        known = [b for b in free if b is not None]
        king = next((n.name for n in nodes if n.role is Role.KING and n.exo), None)
        return ClusterStatus(
            total_nodes=len(nodes),
            healthy_nodes=len(well),
            total_memory_gb=sum(node.memory_gb or 0 for node in nodes),
            available_memory_gb=round(sum(known) / GIB, 1) if known else None,
            loaded_models=loaded_models(nodes),
            master_node=king,
            status=_status(len(well), len(nodes)),
        )

    async def _well(self) -> list[NodePresence]:
        presence = await live.watched(timezone.now())
        return [node for node in presence.nodes if self._is_well(node)] if presence else []

    def _is_well(self, node: NodePresence) -> bool:
        metrics = self._metrics.get(node.name)
        works = metrics is None or metrics.is_healthy(timezone.now())
        return node.exo is not None and node.load.state not in UNWELL and works


def loaded_models(nodes: tuple[NodePresence, ...]) -> tuple[str, ...]:
    """The ids of the models of which every part is ready."""
    parts: dict[str, dict[str, list[bool]]] = {}
    for node in nodes:
        for share in node.shares:
            instances = parts.setdefault(share.model_id, {})
            instances.setdefault(share.instance_id, []).append(share.phase in READY_PHASES)
    return tuple(sorted(m for m, instances in parts.items() if any(map(all, instances.values()))))


def _status(healthy: int, total: int) -> FleetStatus:
    if not healthy:
        return FleetStatus.OFFLINE
    return FleetStatus.HEALTHY if healthy == total else FleetStatus.DEGRADED


topology = ClusterTopologyService()
