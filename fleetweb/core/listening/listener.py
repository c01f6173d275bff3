"""What a token stream reveals about the model that writes it: phase, doubt, loops, silence."""

from collections import deque
from dataclasses import dataclass, replace

from ..evidence import Evidence
from .reading import Reader
from .silence import Gap, Gaps, Phase, patience_s

_RATE_WINDOW_S = 10.0
_RATE_PIECES = 512
_TOKEN_CHARS = 24  # a longer piece is several tokens, of about four characters each
_UNREAD_CHARS = 4000  # read at the latest when so many have come


@dataclass(frozen=True, slots=True)
class Signals:
    """What a stream shows at one moment; each boolean says what holds now.

    `tokens_per_s` is over the last ten seconds, None before there is anything to measure. Character
    offsets in `evidence` count from the beginning of the thinking, or of the answer.
    """

    phase: Phase
    tokens_per_s: float | None = None
    contradiction: bool = False
    recursive: bool = False
    circling: bool = False
    silent: bool = False
    evidence: tuple[Evidence, ...] = ()


class Listener:
    """Listens to one stream. Times are seconds on any one clock that only goes forward.

    `gaps` is what was learned about the model's silences, `prompt_tokens` the size of the prompt
    where it is known before `progress` tells, `started_at` when the request was sent (without it,
    silence counts from the first sign of life). `prompt` is the prompt; it is not weighed, for who
    only restates it would seem to return to it (on labelled streams, precision fell from 0.95 to
    0.86). Nothing of the text is kept but what the next judgement needs.

    Times are taken of each piece as it comes. Its text is read when somebody asks what it shows:
    several pieces at once are read in less time than one by one, and what nobody asks for, as of
    an answer that is over in a moment, not at all.
    """

    def __init__(
        self,
        gaps: Gaps | None = None,
        *,
        prompt_tokens: int | None = None,
        started_at: float | None = None,
        prompt: str = "",  # noqa: ARG002
    ) -> None:
        self._gaps = gaps
        self._prompt_tokens = prompt_tokens
        self._phase = Phase.WAITING
        self._heard_at = started_at
        self._own_longest_s = 0.0
        self._ended: deque[Gap] = deque(maxlen=_RATE_PIECES)
        self._rate = _Rate()
        self._read: tuple[int, int] | None = None
        self._reader = Reader()
        self._unread: list[str] = []
        self._unread_chars = 0
        self._unread_is_thinking = False
        self._is_over = False

    def feed(self, text: str, at: float, thinking: bool = False) -> None:
        """A piece of the stream, of any size."""
        phase = Phase.THINKING if thinking else Phase.ANSWERING
        if not text:
            return
        if phase is not self._phase:
            self._catch_up()
            if self._phase in (Phase.THINKING, Phase.ANSWERING):
                self._reader.finish()
                self._reader = Reader()
        self._hear(phase, at)
        self._rate.add(at, 1.0 if len(text) <= _TOKEN_CHARS else len(text) / 4)
        self._unread.append(text)
        self._unread_chars += len(text)
        self._unread_is_thinking = thinking
        if self._unread_chars >= _UNREAD_CHARS:
            self._catch_up()

    def progress(self, done: int, total: int, at: float) -> None:
        """How much of the prompt has been read, in tokens."""
        self._prompt_tokens = total
        self._read = (done, total)
        self._hear(Phase.READING, at)

    def finish(self, at: float) -> None:
        """The stream has ended; what it ended on is judged as well."""
        self._is_over = True
        self._hear(Phase.DONE, at)

    def ended_gaps(self) -> tuple[Gap, ...]:
        """The silences since the last call, to be learned from (`Gaps.of`)."""
        ended = tuple(self._ended)
        self._ended.clear()
        return ended

    def signals(self, now: float) -> Signals:
        """What holds at `now`."""
        self._catch_up()
        silence = self._silence(now)
        reader = self._reader
        return Signals(
            phase=self._phase,
            tokens_per_s=None if self._is_still(now) else self._rate.per_s(now),
            contradiction=reader.contradiction is not None,
            recursive=reader.recursive,
            circling=reader.cycle is not None,
            silent=bool(silence),
            evidence=(*silence, *self._progress_evidence(), *reader.evidence()),
        )

    def _catch_up(self) -> None:
        """Read what has come since it was read last."""
        if self._unread:
            self._reader.read("".join(self._unread), thinking=self._unread_is_thinking)
            self._unread.clear()
            self._unread_chars = 0
        if self._is_over:
            self._is_over = False
            self._reader.finish()

    def _hear(self, phase: Phase, at: float) -> None:
        if self._heard_at is not None and self._phase is not Phase.DONE:
            gap_s = max(0.0, at - self._heard_at)
            self._ended.append(Gap(self._phase, gap_s, self._prompt_tokens))
            self._own_longest_s = max(self._own_longest_s, gap_s)
        if phase is not self._phase:
            self._own_longest_s = 0.0
            self._phase = phase
        self._heard_at = at

    def _silence(self, now: float) -> tuple[Evidence, ...]:
        if self._heard_at is None or self._phase is Phase.DONE:
            return ()
        gap_s = now - self._heard_at
        allowed_s = patience_s(self._gaps, self._phase, self._prompt_tokens, self._own_longest_s)
        if gap_s <= allowed_s:
            return ()
        longest = self._gaps.longest_s(self._phase, self._prompt_tokens) if self._gaps else None
        if longest is None:  # nobody knows what is usual here: it is held against the defaults
            return (_measured("gap_ms", gap_s), _measured("patience_ms", allowed_s))
        longest = max(longest, self._own_longest_s)
        return (replace(_measured("gap_ms", gap_s), baseline=round(longest * 1000)),)

    def _is_still(self, now: float) -> bool:
        """Whether it is done and its last words are no longer recent."""
        return self._phase is Phase.DONE and not self._rate.is_recent(now)

    def _progress_evidence(self) -> tuple[Evidence, ...]:
        if self._phase is not Phase.READING or self._read is None:
            return ()
        return (Evidence("prompt_tokens_read", self._read[0], self._read[1], "stream"),)


class _Rate:
    """Tokens over the last seconds; each is added once and taken off once, however often asked."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()
        self._tokens = 0.0
        self._has_begun = False

    def add(self, at: float, tokens: float) -> None:
        if len(self._recent) >= _RATE_PIECES:
            self._drop()
        self._recent.append((at, tokens))
        self._tokens += tokens
        self._has_begun = True

    def is_recent(self, now: float) -> bool:
        while self._recent and self._recent[0][0] < now - _RATE_WINDOW_S:
            self._drop()
        return bool(self._recent)

    def per_s(self, now: float) -> float | None:
        if not self.is_recent(now):
            return 0.0 if self._has_begun else None
        began, first = self._recent[0]
        if len(self._recent) < 2 or now <= began:
            return None
        return round((self._tokens - first) / (now - began), 2)

    def _drop(self) -> None:
        self._tokens -= self._recent.popleft()[1]


def _measured(signal: str, seconds: float) -> Evidence:
    return Evidence(signal, round(seconds * 1000), source="stream")
