"""What every machine of the fleet is doing, as values: `inference` finds it, `words` says it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .evidence import Evidence
from .roster import Role
from .snapshot import Download, ExoNode, RunnerPhase
from .streams import Answered, Stream


class CognitiveState(StrEnum):
    """What a machine is doing. Declared from what needs its owner most to what needs them least."""

    OFFLINE = "offline"
    QUIET = "quiet"
    STUMBLED = "stumbled"
    LEARNING = "learning"
    WAKING = "waking"
    IDLE = "idle"
    READING = "reading"
    PROCESSING = "processing"
    GRAPPLING = "grappling"
    RESOLVING = "resolving"
    CIRCLING = "circling"
    SILENT = "silent"


NEEDS_OWNER = frozenset(
    {
        CognitiveState.OFFLINE,
        CognitiveState.QUIET,
        CognitiveState.STUMBLED,
        CognitiveState.CIRCLING,
        CognitiveState.SILENT,
    }
)
AT_WORK = frozenset(
    {
        CognitiveState.READING,
        CognitiveState.PROCESSING,
        CognitiveState.GRAPPLING,
        CognitiveState.RESOLVING,
        CognitiveState.CIRCLING,
        CognitiveState.SILENT,
    }
)


class Condition(StrEnum):
    """How a cluster as a whole is doing."""

    UNSEEN = "unseen"  # never answered since we started
    FORMING = "forming"  # answers, but its machines have not found each other yet
    WELL = "well"
    FROZEN = "frozen"  # served promptly, but its view stands still: the master hangs
    REELECTED = "reelected"  # an election has just emptied it: everything placed is gone
    UNREACHABLE = "unreachable"  # no usable answer at any door
    INVALID = "invalid"  # something answers, but not as exo does


@dataclass(frozen=True, slots=True)
class CognitiveLoad:
    """What one machine is doing, how hard, and how we know.

    `intensity` is 0..1. `current_task` is a 60-character preview, for the owner only.
    `estimated_completion_pct` is 0..100, None where nothing tells.
    """

    intensity: float
    state: CognitiveState
    current_task: str | None = None
    is_recursive: bool = False
    contradiction_detected: bool = False
    estimated_completion_pct: float | None = None
    evidence: tuple[Evidence, ...] = ()
    sentence: str = ""


def percent(done: int | None, of: int | None) -> float | None:
    """0..100, None where nothing tells."""
    if done is None or not of:
        return None
    return round(min(100.0, 100 * done / of), 1)


@dataclass(frozen=True, slots=True)
class ShardShare:
    """What a machine holds of one model: layers `start_layer` to `end_layer`, exclusive."""

    instance_id: str
    model_id: str
    phase: RunnerPhase
    start_layer: int | None = None
    end_layer: int | None = None
    n_layers: int | None = None
    layers_loaded: int | None = None
    total_layers: int | None = None
    at_work: bool = False
    companions: tuple[str, ...] = ()  # names of the other machines of the instance
    sharding: str = "unknown"  # "pipeline", "tensor", "cfg"


@dataclass(frozen=True, slots=True)
class NodePresence:
    """One machine. `exo` is None while exo does not count it in; `since` is when its state began.

    `exo_id` is the id it has, or had when exo last counted it in; `last_heard_at` is by our own
    clock, whatever exo's says.
    """

    name: str
    role: Role
    load: CognitiveLoad
    since: datetime
    memory_gb: int | None = None  # as seen, else as configured
    host: str | None = None
    cluster: str | None = None
    exo: ExoNode | None = None
    exo_id: str | None = None
    last_heard_at: datetime | None = None
    shares: tuple[ShardShare, ...] = ()
    downloads: tuple[Download, ...] = ()  # ongoing and failed
    trail: tuple[float | None, ...] = ()  # intensity, a value a second, newest last, up to 60


@dataclass(frozen=True, slots=True)
class DoorSeen:
    """An address at which a cluster may be asked. `node` is None while nobody knows whose it is."""

    url: str
    node: str | None = None
    answers: bool = True


@dataclass(frozen=True, slots=True)
class ClusterPresence:
    """One exo cluster. `sentence` is None while nothing is wrong; `advice` says what to do."""

    name: str
    condition: Condition
    since: datetime
    door: str | None = None  # the address that was asked last
    answered_at: datetime | None = None
    sentence: str | None = None
    advice: str | None = None
    doors: tuple[DoorSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A request that exo has in hand. `started_at` is when we first saw it, not when it began."""

    id: str
    cluster: str
    instance_id: str
    nodes: tuple[str, ...]
    started_at: datetime
    command_id: str | None = None  # the id of the stream that carries its answer
    model_id: str | None = None
    preview: str | None = None  # for the owner only


@dataclass(frozen=True, slots=True)
class Span:
    """One machine in one state for a while; `ended_at` is None while it lasts."""

    node: str
    state: CognitiveState
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FleetPresence:
    """The whole fleet at one moment. `sequence` rises with every change that is published."""

    at: datetime
    sentence: str
    state: CognitiveState
    intensity: float
    nodes: tuple[NodePresence, ...]
    clusters: tuple[ClusterPresence, ...] = ()
    work: tuple[Work, ...] = ()
    streams: tuple[Stream, ...] = ()  # requests that pass through the gateway, oldest first
    answered: tuple[Answered, ...] = ()  # the latest of them, newest first
    spans: tuple[Span, ...] = ()  # the last ten minutes, oldest first
    rehearsal: bool = False
    sequence: int = 0

    def node(self, name: str) -> NodePresence | None:
        return next((node for node in self.nodes if node.name == name), None)
