"""Small clusters to look at: two machines that share a model, unless a test says otherwise."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleetweb.core.inference import infer
from fleetweb.core.presence import FleetPresence
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode
from fleetweb.core.snapshot import (
    ClusterSnapshot,
    Download,
    DownloadPhase,
    ExoNode,
    Instance,
    Runner,
    RunnerPhase,
    Shard,
    Task,
    TaskStatus,
)
from fleetweb.core.streams import Stage, Stream
from fleetweb.core.watch import ClusterWatch

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
# exo's own clock is far off ours, and nothing may come of it.
EXO_NOW = NOW - timedelta(hours=7, minutes=13)
DOOR = "http://10.0.0.1:52415"
OTHER_DOOR = "http://10.0.0.2:52415"
QWEN = "mlx-community/Qwen3-235B-A22B-Instruct-4bit"
GIB = 2**30


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def at(count: float) -> datetime:
    """`count` seconds after NOW, by our clock."""
    return NOW + seconds(count)


def exo_at(count: float) -> datetime:
    """The same moment by exo's clock."""
    return EXO_NOW + seconds(count)


def node(name: str, *, heard: float | None = 0, number: int = 0, **known: object) -> ExoNode:
    """A machine that exo last heard at `heard` seconds, under an id of the `number`th start."""
    seen_at = None if heard is None else exo_at(heard)
    plain = ExoNode(id=f"id-{name}-{number}", name=name, last_seen_at=seen_at)
    return replace(plain, **known)


def shard(
    machine: str, phase: RunnerPhase = RunnerPhase.READY, *, number: int = 0, **runner: object
) -> Shard:
    """A shard on `machine`; which layers it holds is settled by the instance it is put into."""
    runs = replace(Runner(f"runner-{machine}", phase), **runner)
    return Shard(node_id=f"id-{machine}-{number}", runner=runs, sharding="pipeline")


def instance(*shards: Shard, model: str = QWEN, id_: str = "placed", layers: int = 94) -> Instance:
    """`model` over `shards`, its layers dealt out evenly."""
    edges = [round(layers * rank / len(shards)) for rank in range(len(shards) + 1)]
    dealt = [
        replace(s, device_rank=rank, start_layer=start, end_layer=end, n_layers=layers)
        for rank, (s, start, end) in enumerate(zip(shards, edges, edges[1:], strict=False))
    ]
    return Instance(id_, model, tuple(dealt), transport="ring")


def task(
    preview: str | None = "plan a garden",
    *,
    id_: str = "task",
    on: str = "placed",
    status: TaskStatus = TaskStatus.RUNNING,
    command_id: str | None = None,
) -> Task:
    return Task(id_, on, status, command_id, preview=preview)


def stream(
    stage: Stage = Stage.READING,
    *,
    id_: str = "stream",
    model: str = QWEN,
    cluster: str | None = "home",
    command_id: str | None = None,
    preview: str | None = "plan a garden",
    done: int | None = None,
    total: int | None = None,
) -> Stream:
    """A request that passes through the gateway on its way to `model`."""
    return Stream(
        id=id_,
        caller="owner",
        stage=stage,
        asked_at=NOW,
        stage_since=NOW,
        model_id=model,
        cluster=cluster,
        command_id=command_id,
        preview=preview,
        done=done,
        total=total,
    )


def download(
    machine: str,
    phase: DownloadPhase = DownloadPhase.ONGOING,
    done: int | None = 41,
    *,
    model: str = "mlx-community/DeepSeek-V3.1-4bit",
    eta_s: float | None = 720,
) -> Download:
    return Download(f"id-{machine}-0", model, phase, 100, done, 1e6, eta_s)


def snapshot(
    nodes: Iterable[ExoNode] = (),
    instances: Iterable[Instance] = (),
    tasks: Iterable[Task] = (),
    downloads: Iterable[Download] = (),
    *,
    index: int | None = 100,
) -> ClusterSnapshot:
    return ClusterSnapshot(
        NOW, index, tuple(nodes), tuple(instances), tuple(tasks), tuple(downloads)
    )


def pair(
    *instances: Instance, tasks: Iterable[Task] = (), heard: float = 0, index: int = 100
) -> ClusterSnapshot:
    """King and soldier1, both heard at `heard` seconds."""
    nodes = (node("king", heard=heard), node("soldier1", heard=heard))
    return snapshot(nodes, instances, tasks, index=index)


def unseen(name: str = "home") -> ClusterWatch:
    return ClusterWatch(name, since=NOW)


def watching(*seen: ClusterSnapshot, every: float = 1.0, name: str = "home") -> ClusterWatch:
    """What is known after one answer each `every` seconds, the first at NOW."""
    watch = unseen(name)
    for step, answer in enumerate(seen):
        watch = watch.heard(answer, DOOR, at(step * every))
    return watch


def presence(
    *watches: ClusterWatch,
    previous: FleetPresence | None = None,
    now: datetime = NOW,
    fleet: Sequence[FleetNode] = SOVEREIGN_FLEET,
    streams: Sequence[Stream] = (),
) -> FleetPresence:
    return infer(fleet, watches, previous, now, streams=streams)


def states(seen: FleetPresence) -> dict[str, str]:
    """Every machine's state by its name."""
    return {node.name: node.load.state.value for node in seen.nodes}


def said(seen: FleetPresence, name: str) -> str:
    """What the machine `name` says of itself."""
    found = seen.node(name)
    assert found is not None, f"{name} is not among {list(states(seen))}"
    return found.load.sentence


def evidence(seen: FleetPresence, name: str) -> dict[str, object]:
    found = seen.node(name)
    assert found is not None, f"{name} is not among {list(states(seen))}"
    return {fact.signal: fact.value for fact in found.load.evidence}
