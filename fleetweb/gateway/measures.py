"""The measure of one request, taken as it goes: what happened when, how fast, what is to come."""

import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from fleetweb.core.chat import Chunk, Usage
from fleetweb.core.forecast import Forecast
from fleetweb.core.listening import Listener
from fleetweb.core.listening.silence import Gaps
from fleetweb.core.pace import Run
from fleetweb.core.progress import Progress

from .experience import Outlook

RATE_OVER_S: Final = 5.0
# A megabyte in one piece would hold up everybody's tokens for seconds while it is listened to.
LISTENED_CHARS: Final = 4000


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
class Measures:
    """Begins when the request is asked. `tokens` are the pieces that came."""

    marks: Marks = field(default_factory=Marks)
    tokens: int = 0
    usage: Usage | None = None
    finish_reason: str | None = None
    listener: Listener = field(default_factory=Listener)
    outlook: Outlook | None = None
    expected_s: float = 0.0  # when the outlook was had, in seconds since it was asked
    sent_s: float | None = None  # when the present attempt began, likewise
    sent_with: Outlook | None = None  # the outlook it had then
    _began: float = field(default_factory=time.monotonic)
    _arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=256))

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def silent_s(self) -> float | None:
        """Seconds since anything came, None before anything did."""
        return time.monotonic() - self._arrivals[-1] if self._arrivals else None

    def expects(self, outlook: Outlook) -> None:
        """What it may take from now on is known."""
        self.outlook, self.expected_s = outlook, self.elapsed_s

    def sent(self, outlook: Outlook, gaps: Gaps | None) -> None:
        """It goes to a machine now; what it may take and what silences are usual is known."""
        self.expects(outlook)
        self.sent_s, self.sent_with = self.expected_s, outlook
        self.listener = Listener(
            gaps, prompt_tokens=outlook.ask.prompt_tokens, started_at=time.monotonic()
        )

    def heard(self, chunk: Chunk) -> None:
        """A piece of the answer came."""
        now = time.monotonic()
        if chunk.progress is not None:
            self._arrivals.append(now)
            done, total = chunk.progress.done_tokens, chunk.progress.total_tokens
            self.listener.progress(done, total, now)
            self.outlook = self.outlook and self.outlook.told(total)
        if chunk.usage is not None and chunk.usage.is_possible:
            self.usage = chunk.usage
        self.finish_reason = chunk.finish_reason or self.finish_reason
        if chunk.has_output:
            self._token(now, answers=not chunk.reasoning)
            self.listener.feed(chunk.reasoning[-LISTENED_CHARS:], now, thinking=True)
            self.listener.feed(chunk.content[-LISTENED_CHARS:], now)

    def _token(self, now: float, *, answers: bool) -> None:
        at, marks = now - self._began, self.marks
        if marks.first_token is None:
            marks.first_token = at
        elif marks.last_token is not None:
            marks.longest_gap = max(marks.longest_gap or 0.0, at - marks.last_token)
        if answers and marks.answering is None:
            marks.answering = at
        marks.last_token = at
        self.tokens += 1
        self._arrivals.append(now)

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

    def forecast(self, read: tuple[int, int] | None = None) -> Forecast | None:
        """When its first token and its end may be expected, as it stands now.

        `read` are the tokens of the prompt that have been read, and all of them, while it is being
        read; None at any other time.
        """
        if self.outlook is None:
            return None
        elapsed_s, first_token_s = self.elapsed_s, self.marks.first_token
        read_tokens, total_tokens = read or (0, 0)
        return self.outlook.forecast(
            Progress(
                elapsed_s=elapsed_s - self.expected_s,
                read_tokens=read_tokens,
                total_tokens=total_tokens,
                reading_s=0.0 if read is None else elapsed_s - self.expected_s,
                written_tokens=self.tokens,
                writing_s=None if first_token_s is None else elapsed_s - first_token_s,
            )
        ).after(self.expected_s)

    @property
    def promised(self) -> Forecast | None:
        """What was expected when it was sent."""
        if self.sent_s is None or self.sent_with is None:
            return None
        return self.sent_with.forecast(Progress(elapsed_s=0.0)).after(self.sent_s)

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


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _rate(tokens: int | None, first: float | None, last: float | None) -> float | None:
    if not tokens or tokens < 2 or first is None or last is None or last <= first:
        return None
    return (tokens - 1) / (last - first)
