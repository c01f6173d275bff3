"""One request on its way through the gateway: what is known of it, measured as it goes."""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone

from fleetweb.core import words
from fleetweb.core.balancing import RouteResult
from fleetweb.core.chat import ChatRequest, Chunk, Usage, message_texts
from fleetweb.core.forecast import Forecast
from fleetweb.core.listening import Listener
from fleetweb.core.listening.silence import Gaps
from fleetweb.core.pace import Run
from fleetweb.core.progress import Progress
from fleetweb.core.streams import SENT, Answered, Outcome, Stage, Stream

from .caller import Caller
from .experience import Outlook

RATE_OVER_S: Final = 5.0
# A megabyte in one piece would hold up everybody's tokens for seconds while it is listened to.
LISTENED_CHARS: Final = 4000


def new_id() -> str:
    """An id that sorts by time: requests of a day lie together in the index."""
    return f"req_{time.time_ns():x}{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one provider. `error` is None for the one that answered."""

    provider: str
    model: str
    endpoint: str
    node: str | None
    at: datetime
    took_ms: float
    error: str | None = None


@dataclass(slots=True)
class Marks:
    """When what happened, in seconds since the request was asked; None for what has not."""

    admitted: float | None = None
    loaded: float | None = None
    first_token: float | None = None
    answering: float | None = None
    last_token: float | None = None
    longest_gap: float | None = None
    ended: float | None = None


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
    tokens: int = 0
    usage: Usage | None = None
    finish_reason: str | None = None
    cost_usd: Decimal | None = None
    error: str = ""
    has_spoken: bool = False  # the caller has been given a token: nobody else may answer now
    preview: str | None = None
    marks: Marks = field(default_factory=Marks)
    listener: Listener = field(default_factory=Listener)
    outlook: Outlook | None = None
    promised: Forecast | None = None  # what was expected when it was sent
    expected_s: float = 0.0  # when the outlook was had, in seconds since it was asked
    sent_s: float | None = None  # when the present attempt began, likewise
    ended_at: datetime | None = None
    _began: float = field(default_factory=time.monotonic)
    _arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=256))

    def __post_init__(self) -> None:
        self.preview = preview_of(self.request)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def silent_s(self) -> float:
        """Seconds since anything came, or since the present stage began."""
        if self._arrivals:
            return time.monotonic() - self._arrivals[-1]
        return (timezone.now() - self.stage_since).total_seconds()

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
        self.marks.admitted = self.elapsed_s

    def expects(self, outlook: Outlook) -> None:
        """What it may take from now on is known."""
        self.outlook, self.expected_s = outlook, self.elapsed_s

    def sent(self, outlook: Outlook, gaps: Gaps | None) -> None:
        """It goes to a machine now; what it may take and what silences are usual is known."""
        self.expects(outlook)
        self.sent_s = self.expected_s
        self.promised = self.forecast()
        self.listener = Listener(
            gaps, prompt_tokens=outlook.ask.prompt_tokens, started_at=time.monotonic()
        )
        self.enter(Stage.READING)

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.changed(self)

    def heard(self, chunk: Chunk) -> None:
        """Take the measure of a piece of the answer."""
        now = time.monotonic()
        if chunk.progress is not None:
            self._arrivals.append(now)
            done, total = chunk.progress.done_tokens, chunk.progress.total_tokens
            self.listener.progress(done, total, now)
            self.outlook = self.outlook and self.outlook.told(total)
            self.progress(done, total)
        if chunk.id:
            self.command_id = chunk.id
        self.usage = chunk.usage or self.usage
        self.finish_reason = chunk.finish_reason or self.finish_reason
        if chunk.has_output:
            self._token(now, Stage.THINKING if chunk.reasoning else Stage.ANSWERING)
            self.listener.feed(chunk.reasoning[-LISTENED_CHARS:], now, thinking=True)
            self.listener.feed(chunk.content[-LISTENED_CHARS:], now)

    def _token(self, now: float, stage: Stage) -> None:
        at, marks = now - self._began, self.marks
        if marks.first_token is None:
            marks.first_token = at
        elif marks.last_token is not None:
            marks.longest_gap = max(marks.longest_gap or 0.0, at - marks.last_token)
        if stage is Stage.ANSWERING and marks.answering is None:
            marks.answering = at
        marks.last_token = at
        self.tokens += 1
        self._arrivals.append(now)
        self.enter(stage)

    def follows(self, leader: "Passage") -> None:
        """It shares the answer that `leader` gets."""
        self.cached = True
        self.model_id, self.provider = leader.model_id, leader.provider
        self.cluster, self.node, self.route = leader.cluster, leader.node, leader.route

    def ended(self, outcome: Outcome, error: str = "") -> None:
        self.outcome, self.error = outcome, error
        self.ended_at, self.marks.ended = timezone.now(), self.elapsed_s
        self.changed(self)

    @property
    def tokens_per_s(self) -> float | None:
        """How fast it comes now; over the whole answer once it is over."""
        marks = self.marks
        if marks.ended is not None:
            return _rate(self.completion_tokens, marks.first_token, marks.last_token)
        now = time.monotonic()
        recent = [at for at in self._arrivals if now - at <= RATE_OVER_S]
        if len(recent) < 2:
            return None
        return (len(recent) - 1) / max(now - recent[0], 1e-3)

    @property
    def completion_tokens(self) -> int | None:
        """As the provider counted, else the pieces that came; None before any came."""
        if self.usage is not None:
            return self.usage.completion_tokens
        return self.tokens or None

    def stream(self) -> Stream:
        """How it looks to everybody else while it goes on."""
        last = self._arrivals[-1] if self.tokens else None
        signals = self.listener.signals(time.monotonic())
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
            tokens=self.tokens,
            tokens_per_s=_rounded(self.tokens_per_s),
            said_at=None if last is None else self._at(last),
            contradiction=signals.contradiction,
            recursive=signals.recursive,
            circling=signals.circling,
            silent=signals.silent and is_sent,
            evidence=signals.evidence,
            forecast=self.forecast(),
        )

    def forecast(self) -> Forecast | None:
        """When its first token and its end may be expected, as it stands now."""
        if self.outlook is None:
            return None
        elapsed_s, first_token_s = self.elapsed_s, self.marks.first_token
        is_reading = self.stage is Stage.READING
        return self.outlook.forecast(
            Progress(
                elapsed_s=elapsed_s - self.expected_s,
                read_tokens=(self.done or 0) if is_reading else 0,
                total_tokens=(self.total or 0) if is_reading else 0,
                reading_s=elapsed_s - self.expected_s if is_reading else 0.0,
                written_tokens=self.tokens,
                writing_s=None if first_token_s is None else elapsed_s - first_token_s,
            )
        ).after(self.expected_s)

    def run(self) -> Run | None:
        """How the answer went, to be learned from; None where it teaches nothing."""
        marks, usage = self.marks, self.usage
        if self.outlook is None or usage is None or self.sent_s is None or not self.tokens:
            return None
        if marks.first_token is None or marks.ended is None or self.tokens < 2:
            return None
        known = replace(
            self.outlook.ask,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            needs_loading=False,
        )
        return Run(
            ask=known,
            first_token_s=max(0.001, marks.first_token - self.sent_s),
            total_s=max(0.002, marks.ended - self.sent_s),
            answer_tokens=usage.completion_tokens,
            cut=self.finish_reason == "length",
        )

    def answered(self) -> Answered:
        """How it looks once it is over."""
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
            ttft_ms=milliseconds(self.marks.first_token),
            latency_ms=milliseconds(self.marks.ended),
            completion_tokens=self.completion_tokens,
            tokens_per_s=_rounded(self.tokens_per_s),
            cost_usd=None if self.cost_usd is None else str(self.cost_usd),
        )

    def _at(self, monotonic: float) -> datetime:
        return timezone.now() - timedelta(seconds=time.monotonic() - monotonic)


def preview_of(request: ChatRequest) -> str | None:
    """How what the user said last begins; for the owner only."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return words.preview(" ".join(message_texts(message)))
    return None


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _rate(tokens: int | None, first: float | None, last: float | None) -> float | None:
    if not tokens or tokens < 2 or first is None or last is None or last <= first:
        return None
    return (tokens - 1) / (last - first)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
