"""One request on its way through the gateway: who asked, where it stands, and how that looks."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from fleetweb.core import words
from fleetweb.core.balancing import RouteResult
from fleetweb.core.chat import ChatRequest, Chunk, message_texts
from fleetweb.core.forecast import Forecast
from fleetweb.core.listening.silence import Gaps
from fleetweb.core.streams import SENT, Answered, Outcome, Stage, Stream

from .caller import Caller
from .experience import Outlook
from .measures import Attempt, Measures, milliseconds


def new_id() -> str:
    """An id that sorts by time: requests of a day lie together in the index."""
    return f"req_{time.time_ns():x}{secrets.token_hex(4)}"


@dataclass(slots=True, eq=False)
class Passage:
    """Mutable, and one task's own: only that which answers the request writes to it.

    `changed` is called whenever something shows that others may want to see.
    """

    request: ChatRequest
    caller: Caller
    changed: Callable[["Passage"], None]
    id: str = field(default_factory=new_id)
    asked_at: datetime = field(default_factory=timezone.now)
    outcome: Outcome = Outcome.WAITING
    stage: Stage = Stage.WAITING
    stage_since: datetime = field(default_factory=timezone.now)
    model_id: str = ""
    provider: str = ""
    cluster: str | None = None
    node: str | None = None
    nodes: tuple[str, ...] = ()
    command_id: str | None = None
    route: RouteResult | None = None
    attempts: list[Attempt] = field(default_factory=list)
    cached: bool = False
    position: int | None = None
    expected_wait_s: float | None = None
    done: int | None = None
    total: int | None = None
    cost_usd: Decimal | None = None
    error: str = ""
    has_spoken: bool = False  # the caller has been given a token: nobody else may answer now
    preview: str | None = None
    measures: Measures = field(default_factory=Measures)
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        self.preview = preview_of(self.request)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was asked."""
        return self.measures.elapsed_s

    @property
    def silent_s(self) -> float:
        """Seconds since anything came, or since the present stage began."""
        silent_s = self.measures.silent_s
        return (timezone.now() - self.stage_since).total_seconds() if silent_s is None else silent_s

    def enter(self, stage: Stage) -> None:
        if stage is not self.stage:
            self.stage, self.stage_since = stage, timezone.now()
            self.done = self.total = None
        self.changed(self)

    def queued(self, position: int, expected_wait_s: float | None) -> None:
        self.position, self.expected_wait_s = position, expected_wait_s
        self.changed(self)

    def admitted(self) -> None:
        self.position = self.expected_wait_s = None
        self.outcome = Outcome.RUNNING
        self.measures.marks.admitted = self.elapsed_s

    def sent(self, outlook: Outlook, gaps: Gaps | None) -> None:
        """It goes to a machine now; what it may take and what silences are usual is known."""
        self.measures.sent(outlook, gaps)
        self.enter(Stage.READING)

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.changed(self)

    def heard(self, chunk: Chunk) -> None:
        """A piece of the answer came."""
        self.measures.heard(chunk)
        if chunk.progress is not None:
            self.progress(chunk.progress.done_tokens, chunk.progress.total_tokens)
        if chunk.id:
            self.command_id = chunk.id
        if chunk.has_output:
            self.enter(Stage.THINKING if chunk.reasoning else Stage.ANSWERING)

    def follows(self, leader: "Passage") -> None:
        """It shares the answer that `leader` gets."""
        self.cached = True
        self.model_id, self.provider = leader.model_id, leader.provider
        self.cluster, self.node, self.route = leader.cluster, leader.node, leader.route

    def ended(self, outcome: Outcome, error: str = "") -> None:
        self.outcome, self.error = outcome, error
        self.ended_at, self.measures.marks.ended = timezone.now(), self.elapsed_s
        self.changed(self)

    def forecast(self) -> Forecast | None:
        """When its first token and its end may be expected, as it stands now."""
        is_reading = self.stage is Stage.READING
        return self.measures.forecast((self.done or 0, self.total or 0) if is_reading else None)

    def stream(self) -> Stream:
        """How it looks to everybody else while it goes on."""
        measures = self.measures
        signals = measures.listener.signals(time.monotonic())
        is_sent = self.stage in SENT
        return Stream(
            id=self.id,
            caller=self.caller.name,
            stage=self.stage,
            asked_at=self.asked_at,
            stage_since=self.stage_since,
            model_id=self.model_id or self.request.model,
            provider=self.provider or "exo",
            cluster=self.cluster,
            node=self.node,
            command_id=self.command_id,
            preview=self.preview,
            position=self.position,
            expected_wait_s=self.expected_wait_s,
            done=self.done,
            total=self.total,
            tokens=measures.tokens,
            tokens_per_s=_rounded(measures.tokens_per_s),
            said_at=self._said_at(),
            contradiction=signals.contradiction,
            recursive=signals.recursive,
            circling=signals.circling,
            silent=signals.silent and is_sent,
            evidence=signals.evidence,
            forecast=self.forecast(),
        )

    def answered(self) -> Answered:
        """How it looks once it is over."""
        measures = self.measures
        return Answered(
            id=self.id,
            caller=self.caller.name,
            outcome=self.outcome,
            asked_at=self.asked_at,
            ended_at=self.ended_at or timezone.now(),
            model_id=self.model_id or self.request.model,
            provider=self.provider or None,
            node=self.node,
            cached=self.cached,
            ttft_ms=milliseconds(measures.marks.first_token),
            latency_ms=milliseconds(measures.marks.ended),
            completion_tokens=measures.completion_tokens,
            tokens_per_s=_rounded(measures.tokens_per_s),
            cost_usd=None if self.cost_usd is None else str(self.cost_usd),
        )

    def _said_at(self) -> datetime | None:
        """When the last piece came, None before the first token."""
        silent_s = self.measures.silent_s
        if silent_s is None or not self.measures.tokens:
            return None
        return timezone.now() - timedelta(seconds=silent_s)


def preview_of(request: ChatRequest) -> str | None:
    """How what the user said last begins; for the owner only."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return words.preview(" ".join(message_texts(message)))
    return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
