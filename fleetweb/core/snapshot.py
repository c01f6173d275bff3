"""What was seen of a cluster at one moment, frozen.

Names follow exo's; units stand in the names. None always means "exo did not say", never 0.
Source: exo 0.3.70, `GET /state`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PREVIEW_CHARS = 60


class RunnerPhase(StrEnum):
    """A runner's life in exo's words; `ABSENT` is a runner that was assigned but not seen yet."""

    ABSENT = "absent"
    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOADING = "loading"
    LOADED = "loaded"
    WARMING_UP = "warming_up"
    READY = "ready"
    RUNNING = "running"
    SHUTTING_DOWN = "shutting_down"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    UNKNOWN = "unknown"


WAKING_PHASES = frozenset(
    {
        RunnerPhase.ABSENT,
        RunnerPhase.IDLE,
        RunnerPhase.CONNECTING,
        RunnerPhase.CONNECTED,
        RunnerPhase.LOADING,
        RunnerPhase.LOADED,
        RunnerPhase.WARMING_UP,
    }
)
READY_PHASES = frozenset({RunnerPhase.READY, RunnerPhase.RUNNING})
ENDING_PHASES = frozenset({RunnerPhase.SHUTTING_DOWN, RunnerPhase.SHUTDOWN})


class DownloadPhase(StrEnum):
    PENDING = "pending"
    ONGOING = "ongoing"
    COMPLETED = "completed"
    FAILED = "failed"


class TaskStatus(StrEnum):
    """Pending is not queued: exo batches, and all but the first of a batch stay Pending."""

    PENDING = "pending"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class ExoNode:
    """One machine as exo reports it. `id` is new at every start of exo; `name` is not."""

    id: str
    name: str
    in_topology: bool = True
    last_seen_at: datetime | None = None
    addresses: tuple[str, ...] = ()  # host or host:port as URLs, e.g. "http://10.0.0.4:52415"
    hardware: str | None = None  # "Mac Studio"
    chip: str | None = None  # "Apple M3 Ultra"
    os_version: str | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_available_bytes: int | None = None
    gpu_usage: float | None = None  # 0..1
    cpu_usage: float | None = None  # 0..1, performance cores
    temperature_c: float | None = None
    power_w: float | None = None

    @property
    def memory_used_bytes(self) -> int | None:
        if self.memory_total_bytes is None or self.memory_available_bytes is None:
            return None
        return max(0, self.memory_total_bytes - self.memory_available_bytes)


@dataclass(frozen=True, slots=True)
class Runner:
    """One node's process for one instance. `failure` is one short line, without paths."""

    id: str
    phase: RunnerPhase = RunnerPhase.ABSENT
    layers_loaded: int | None = None
    total_layers: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a model that one node holds: layers `start_layer` to `end_layer`, exclusive."""

    node_id: str
    runner: Runner
    device_rank: int | None = None
    world_size: int | None = None
    start_layer: int | None = None
    end_layer: int | None = None
    n_layers: int | None = None
    sharding: str = "unknown"  # "pipeline", "tensor", "cfg"


@dataclass(frozen=True, slots=True)
class Instance:
    """A model placed on one or more nodes. It can't answer without all of them."""

    id: str
    model_id: str
    shards: tuple[Shard, ...]
    transport: str = "unknown"  # "ring", "jaccl"
    storage_bytes: int | None = None
    context_length: int | None = None

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(shard.node_id for shard in self.shards)

    def shard_on(self, node_id: str) -> Shard | None:
        return next((shard for shard in self.shards if shard.node_id == node_id), None)

    @property
    def is_ready(self) -> bool:
        """Whether every runner could take a request now."""
        return bool(self.shards) and all(s.runner.phase in READY_PHASES for s in self.shards)


@dataclass(frozen=True, slots=True)
class Task:
    """A text generation in hand. `preview` is at most 60 characters of the last user message."""

    id: str
    instance_id: str
    status: TaskStatus
    command_id: str | None = None  # the `id` of the stream's chunks
    model_id: str | None = None
    preview: str | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A model on its way to (or on) a node's disk. Pending ones of the catalogue are left out."""

    node_id: str
    model_id: str
    phase: DownloadPhase
    total_bytes: int | None = None
    downloaded_bytes: int | None = None
    bytes_per_s: float | None = None
    eta_s: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """One decoded `/state`.

    `nodes` are those in the topology only: ghosts of earlier starts are not machines.
    `tasks` are text generations Pending or Running on an instance that exists.
    `event_index` is exo's lastEventAppliedIdx; -1 with no nodes means a new election.
    `flaws` names items that could not be read and were left out, one short phrase each.
    """

    seen_at: datetime
    event_index: int | None = None
    nodes: tuple[ExoNode, ...] = ()
    instances: tuple[Instance, ...] = ()
    tasks: tuple[Task, ...] = ()
    downloads: tuple[Download, ...] = ()
    flaws: tuple[str, ...] = ()

    def node(self, node_id: str) -> ExoNode | None:
        return next((node for node in self.nodes if node.id == node_id), None)

    def instance(self, instance_id: str) -> Instance | None:
        return next((i for i in self.instances if i.id == instance_id), None)

    def instances_on(self, node_id: str) -> tuple[Instance, ...]:
        return tuple(i for i in self.instances if node_id in i.node_ids)

    def tasks_of(self, instance_id: str) -> tuple[Task, ...]:
        return tuple(t for t in self.tasks if t.instance_id == instance_id)

    @property
    def busy_node_ids(self) -> frozenset[str]:
        """Nodes of every instance that has work in hand: all of them work, not one."""
        at_work = {task.instance_id for task in self.tasks}
        return frozenset(n for i in self.instances if i.id in at_work for n in i.node_ids)

    @property
    def newest_seen_at(self) -> datetime | None:
        return max((n.last_seen_at for n in self.nodes if n.last_seen_at), default=None)
