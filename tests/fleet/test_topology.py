"""The present topology for everyone who has to choose a machine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from fleetweb.core.presence import (
    CognitiveLoad,
    CognitiveState,
    FleetPresence,
    NodePresence,
    ShardShare,
)
from fleetweb.core.roster import Role
from fleetweb.core.snapshot import ExoNode, RunnerPhase
from fleetweb.fleet import live
from fleetweb.fleet.topology import (
    ENOUGH_REQUESTS,
    WINDOW,
    ClusterTopologyService,
    FleetStatus,
    NodeMetrics,
    loaded_models,
)

pytestmark = pytest.mark.shared

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
GIB = 2**30
LLAMA, QWEN = "mlx-community/Llama-3.3-70B", "mlx-community/Qwen3-235B"


def share(model: str, phase: RunnerPhase = RunnerPhase.READY, instance: str = "i1") -> ShardShare:
    return ShardShare(instance, model, phase)


def machine(
    name: str,
    state: CognitiveState = CognitiveState.IDLE,
    intensity: float = 0.0,
    free_gb: int | None = 100,
    shares: tuple[ShardShare, ...] = (),
) -> NodePresence:
    available = None if free_gb is None else free_gb * GIB
    here = ExoNode(name, name, memory_available_bytes=available, memory_total_bytes=512 * GIB)
    return NodePresence(
        name,
        Role.KING if name == "king" else Role.SOLDIER,
        CognitiveLoad(intensity, state),
        since=NOW,
        memory_gb=512,
        exo=None if state is CognitiveState.OFFLINE else here,
        shares=shares,
    )


KING, ONE, TWO = machine("king"), machine("soldier1", intensity=0.5), machine("soldier2")
AWAY = machine("soldier3", CognitiveState.OFFLINE)


@pytest.fixture
def service() -> ClusterTopologyService:
    return ClusterTopologyService()


async def publish(*nodes: NodePresence) -> None:
    await live.publish(
        FleetPresence(timezone.now(), "", CognitiveState.IDLE, 0.0, nodes, sequence=1)
    )


async def test_nothing_is_known_before_anybody_has_looked(service):
    status = await service.get_cluster_status()
    assert (status.status, status.total_nodes) == (FleetStatus.OFFLINE, 0)
    assert status.available_memory_gb is None
    assert await service.get_healthiest_node() is None
    assert await service.get_nodes_for_model(LLAMA) == ()
    assert await service.refresh_topology() is None


async def test_a_fleet_that_is_all_well_is_healthy(service):
    await publish(KING, ONE)
    status = await service.get_cluster_status()
    assert status.status is FleetStatus.HEALTHY
    assert (status.total_nodes, status.healthy_nodes) == (2, 2)
    assert (status.total_memory_gb, status.available_memory_gb) == (1024, 200.0)
    assert status.master_node == "king"


@pytest.mark.parametrize(
    "state", [CognitiveState.OFFLINE, CognitiveState.QUIET, CognitiveState.STUMBLED]
)
async def test_one_machine_that_is_unwell_degrades_it(service, state):
    await publish(KING, machine("soldier1", state))
    status = await service.get_cluster_status()
    assert (status.status, status.healthy_nodes) == (FleetStatus.DEGRADED, 1)


async def test_with_nobody_here_it_is_offline_and_has_no_master(service):
    await publish(machine("king", CognitiveState.OFFLINE), AWAY)
    status = await service.get_cluster_status()
    assert (status.status, status.master_node) == (FleetStatus.OFFLINE, None)
    assert status.available_memory_gb is None


async def test_free_memory_is_of_those_that_say(service):
    await publish(KING, machine("soldier1", free_gb=None))
    assert (await service.get_cluster_status()).available_memory_gb == 100.0


async def test_machines_for_a_model_are_those_whose_part_is_ready(service):
    ready = replace(KING, shares=(share(LLAMA),))
    loading = replace(ONE, shares=(share(LLAMA, RunnerPhase.LOADING, "i2"),))
    hurt = machine("soldier2", CognitiveState.STUMBLED, shares=(share(LLAMA),))
    await publish(ready, loading, hurt)
    assert await service.get_nodes_for_model(LLAMA) == (ready,)
    assert await service.get_nodes_for_model(QWEN) == ()


async def test_the_healthiest_works_least_and_then_has_most_free(service):
    roomy = machine("soldier2", free_gb=300)
    await publish(KING, ONE, roomy, AWAY)
    assert await service.get_healthiest_node() == roomy


async def test_refreshing_gives_the_newest_presence(service):
    await publish(KING)
    presence = await service.refresh_topology()
    assert [node.name for node in presence.nodes] == ["king"]


async def test_a_machine_that_fails_requests_is_unwell_until_they_are_old(service, monkeypatch):
    await publish(KING, ONE)
    for _ in range(ENOUGH_REQUESTS):
        service.record_request("king", 100.0, success=False)
    assert (await service.get_cluster_status()).healthy_nodes == 1
    assert (await service.get_healthiest_node()).name == "soldier1"
    later = datetime.now(UTC) + WINDOW + timedelta(seconds=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    await publish(KING, ONE)  # somebody still watches
    assert (await service.get_cluster_status()).status is FleetStatus.HEALTHY


def test_too_few_requests_say_nothing():
    metrics = NodeMetrics()
    for _ in range(ENOUGH_REQUESTS - 1):
        metrics.record(50.0, success=False, now=NOW)
    assert metrics.error_rate(NOW) is None
    assert metrics.is_healthy(NOW)
    assert metrics.mean_latency_ms(NOW) is None


def test_latency_is_that_of_the_requests_that_went_well():
    metrics = NodeMetrics()
    metrics.record(100.0, success=True, now=NOW)
    metrics.record(300.0, success=True, now=NOW)
    metrics.record(9000.0, success=False, now=NOW)
    assert metrics.mean_latency_ms(NOW) == 200.0
    assert metrics.requests(NOW) == 3
    assert metrics.requests(NOW + WINDOW + timedelta(seconds=1)) == 0


def test_a_model_is_loaded_when_all_parts_of_one_instance_are_ready():
    half = share(QWEN, RunnerPhase.LOADING)
    assert loaded_models((replace(KING, shares=(share(QWEN),)), replace(ONE, shares=(half,)))) == ()
    whole = replace(TWO, shares=(share(QWEN, instance="i2"), share(LLAMA, instance="i3")))
    assert loaded_models((replace(ONE, shares=(half,)), whole)) == (LLAMA, QWEN)
