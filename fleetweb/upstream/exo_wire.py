"""exo's `/state` as it is on the wire: only what is read of it, everything optional.

exo's unions are one-key objects, `{"RunnerLoading": {…}}`. Where the key itself is what is wanted
(a runner's phase, an instance's transport) they are read as a one-key dict, where only some of the
variants matter as a Struct with a field for each of these. Either way an unknown variant is no
error. Source: exo 0.3.70, `GET /state`.
"""

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Wire(msgspec.Struct, rename="camel", gc=False):
    """Base of all: camelCase names, and unknown fields are skipped unread."""


class Memory(Wire):
    in_bytes: int


class ModelCard(Wire):
    model_id: str
    storage_size: Memory | None = None
    context_length: int | None = None


class ShardFields(Wire):
    model_card: ModelCard | None = None
    device_rank: int | None = None
    world_size: int | None = None
    start_layer: int | None = None
    end_layer: int | None = None
    n_layers: int | None = None


class ShardAssignments(Wire):
    model_id: str
    node_to_runner: dict[str, str]
    runner_to_shard: dict[str, dict[str, ShardFields]] = {}


class InstanceFields(Wire):
    shard_assignments: ShardAssignments


class RunnerFields(Wire):
    layers_loaded: int | None = None
    total_layers: int | None = None
    error_message: str | None = None


class TextGeneration(Wire):
    """`task_params` stays unread until the task proves to be in hand: it holds a whole prompt."""

    task_status: str
    instance_id: str
    command_id: str | None = None
    task_params: msgspec.Raw = msgspec.Raw(b"null")


class TaskUnion(Wire):
    text_generation: TextGeneration | None = msgspec.field(name="TextGeneration", default=None)


class Part(msgspec.Struct, gc=False):
    text: str | None = None


class Message(msgspec.Struct, gc=False):
    role: str = ""
    content: str | list[Part] | None = None


class TaskParams(msgspec.Struct, gc=False):
    """snake_case, unlike what surrounds it. `input` is exo's own copy of the messages."""

    input: list[Message] | str | None = None
    chat_template_messages: list[Message] | None = None


class CardHolder(Wire):
    model_card: ModelCard


class DownloadProgress(Wire):
    total: Memory | None = None
    downloaded: Memory | None = None
    speed: float | None = None
    eta_ms: float | None = None


class DownloadFields(Wire):
    shard_metadata: dict[str, CardHolder]
    total: Memory | None = None
    download_progress: DownloadProgress | None = None
    error_message: str | None = None


class PendingFields(Wire):
    """`shard_metadata` stays unread: nearly every entry is the catalogue's, 97 % of a state."""

    shard_metadata: msgspec.Raw
    downloaded: Memory | None = None
    total: Memory | None = None


class DownloadUnion(Wire):
    pending: PendingFields | None = msgspec.field(name="DownloadPending", default=None)
    ongoing: DownloadFields | None = msgspec.field(name="DownloadOngoing", default=None)
    completed: DownloadFields | None = msgspec.field(name="DownloadCompleted", default=None)
    failed: DownloadFields | None = msgspec.field(name="DownloadFailed", default=None)


class Multiaddr(msgspec.Struct, gc=False):
    ip_address: str
    port: int


class Edge(Wire):
    """RDMA edges have no address."""

    sink_multiaddr: Multiaddr | None = None


class Topology(Wire):
    nodes: list[str]
    connections: dict[str, dict[str, list[Edge]]] = {}


class Identity(Wire):
    friendly_name: str | None = None
    model_id: str | None = None
    chip_id: str | None = None
    os_version: str | None = None


class NodeMemory(Wire):
    ram_total: Memory | None = None
    ram_available: Memory | None = None


class NodeDisk(Wire):
    total: Memory | None = None
    available: Memory | None = None


class NodeSystem(Wire):
    gpu_usage: float | None = None
    pcpu_usage: float | None = None
    temp: float | None = None
    sys_power: float | None = None


class Interface(Wire):
    ip_address: str | None = None


class NodeNetwork(Wire):
    interfaces: list[Interface] = []


class State(Wire):
    """The keys that are read. None is a key that is missing, null or of no use."""

    last_event_applied_idx: int | None = None
    topology: Topology | None = None
    last_seen: dict[str, Moment] | None = None
    node_identities: dict[str, Identity] | None = None
    node_memory: dict[str, NodeMemory] | None = None
    node_disk: dict[str, NodeDisk] | None = None
    node_system: dict[str, NodeSystem] | None = None
    node_network: dict[str, NodeNetwork] | None = None
    instances: dict[str, dict[str, InstanceFields]] | None = None
    runners: dict[str, dict[str, RunnerFields]] | None = None
    tasks: dict[str, TaskUnion] | None = None
    downloads: dict[str, list[DownloadUnion]] | None = None
