"""The requests that pass through the gateway, as they look to everybody else: the three holds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .evidence import Evidence
from .forecast import Forecast


class Stage(StrEnum):
    """How far a request is."""

    WAITING = "waiting"  # in the queue before a cluster
    LOADING = "loading"  # for its model to be loaded
    READING = "reading"  # sent, and nothing said yet
    THINKING = "thinking"
    ANSWERING = "answering"


SENT = frozenset({Stage.READING, Stage.THINKING, Stage.ANSWERING})


class Outcome(StrEnum):
    """Where a request stands in the history."""

    WAITING = "waiting"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Stream:
    """A request in hand. `done` of `total` are layers while loading, prompt tokens while reading.

    `cluster`, `node` and `command_id` (exo's name for the request) are None until they are known,
    and for providers outside the fleet. `preview` is for the owner only.
    """

    id: str
    caller: str
    stage: Stage
    asked_at: datetime
    stage_since: datetime
    model_id: str
    provider: str = "exo"
    cluster: str | None = None
    node: str | None = None
    command_id: str | None = None
    preview: str | None = None
    position: int | None = None  # in the queue, 1 is next
    expected_wait_s: float | None = None
    done: int | None = None
    total: int | None = None
    tokens: int = 0
    tokens_per_s: float | None = None
    said_at: datetime | None = None  # when its last piece came
    contradiction: bool = False  # what its text shows now
    recursive: bool = False
    circling: bool = False
    silent: bool = False
    evidence: tuple[Evidence, ...] = ()
    forecast: Forecast | None = None  # counted from `asked_at`

    def shown(self, signal: str) -> Evidence | None:
        """The measured fact called `signal` behind what it shows."""
        return next((fact for fact in self.evidence if fact.signal == signal), None)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that is over, with its measures; None is what nobody measured."""

    id: str
    caller: str
    outcome: Outcome
    asked_at: datetime
    ended_at: datetime
    model_id: str
    provider: str | None = None
    node: str | None = None
    cached: bool = False
    ttft_ms: float | None = None
    latency_ms: float | None = None
    completion_tokens: int | None = None
    tokens_per_s: float | None = None
    cost_usd: str | None = None  # decimal, None where no price is known
