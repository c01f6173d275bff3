"""How long a request that is under way will take, from how far it has come."""

import math
from dataclasses import dataclass

from .forecast import UNLEARNED_SPREAD, Estimate, Forecast, forecast, served
from .pace import Ask, Pace

TOKENS_TO_TRUST = 50  # after which an answer's own rate counts as much as what was learned


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come, `elapsed_s` after it was made.

    `read_tokens` of `total_tokens` were read `reading_s` after reading began; `written_tokens`
    came in the `writing_s` since the first, which is None until it comes.
    """

    elapsed_s: float
    read_tokens: int = 0
    total_tokens: int = 0
    reading_s: float = 0.0
    written_tokens: int = 0
    writing_s: float | None = None


def revise(pace: Pace, ask: Ask, progress: Progress) -> Forecast:
    """What to expect of a request that is under way, still counted from when it was made.

    The further it has come, the more its own speed counts.
    """
    if progress.writing_s is not None:
        arrived_s = progress.elapsed_s - progress.writing_s
        end = _writing(pace, ask, progress, progress.writing_s)
        first_token = Estimate(arrived_s, arrived_s)
        return Forecast(first_token, end and first_token.then(end).since(progress.elapsed_s))
    if not progress.read_tokens or not progress.total_tokens:
        return _since(forecast(pace, ask), progress.elapsed_s)
    alone = served(pace, ask)
    began_s = progress.elapsed_s - progress.reading_s
    began = Estimate(began_s, began_s)
    first_token = began.then(_reading(alone.first_token, progress))
    end = first_token.then(_after(alone)) if alone.end else None
    return _since(Forecast(first_token, end), progress.elapsed_s)


def _since(found: Forecast, elapsed_s: float) -> Forecast:
    return Forecast(
        first_token=found.first_token and found.first_token.since(elapsed_s),
        end=found.end and found.end.since(elapsed_s),
    )


def _reading(before: Estimate | None, progress: Progress) -> Estimate:
    """All of the reading: what was expected, giving way to what is seen as more has been read."""
    done = min(1.0, progress.read_tokens / progress.total_tokens)
    at_this_pace_s = progress.reading_s / done
    if before is None:
        left_s = at_this_pace_s - progress.reading_s
        return Estimate(at_this_pace_s, at_this_pace_s + left_s * (UNLEARNED_SPREAD - 1))
    p50_s = before.p50_s + (at_this_pace_s - before.p50_s) * done
    return Estimate(p50_s, p50_s + before.spread_s * (1 - done))


def _after(alone: Forecast) -> Estimate:
    """What comes after the first token: the end without the reading."""
    first_token, end = alone.first_token, alone.end
    if first_token is None or end is None:
        return Estimate(0.0, 0.0)
    own = math.sqrt(max(0.0, end.spread_s**2 - first_token.spread_s**2))
    p50_s = end.p50_s - first_token.p50_s
    return Estimate(p50_s, p50_s + own)


def _writing(pace: Pace, ask: Ask, progress: Progress, writing_s: float) -> Estimate | None:
    """All of the writing, from the lengths of answers that got as far as this one has."""
    rates = _rates(pace, ask, progress.written_tokens, writing_s)
    usual, long = (_length(pace, ask, q, progress.written_tokens) for q in (50, 90))
    if rates is None or usual is None or long is None:
        return None
    p50_s = usual / rates[0]
    return Estimate(p50_s, max(p50_s, long / rates[1]))


def _length(pace: Pace, ask: Ask, q: float, written_tokens: int) -> float | None:
    length = pace.measure("answers").percentile(q, above=written_tokens)
    if length is None:
        return ask.max_tokens
    return length if ask.max_tokens is None else min(length, ask.max_tokens)


def _rates(pace: Pace, ask: Ask, tokens: int, seconds: float) -> tuple[float, float] | None:
    """Tokens per second as usual and when slow: this answer's own, mixed with what was learned."""
    own = tokens / seconds if tokens and seconds > 0 else None
    usual, slow = (pace.writing_rate(q) for q in (50, 10))
    if usual is None or slow is None:
        return (own, own) if own else None
    drag = pace.drag("writing", ask)
    usual, slow = usual / drag, slow / drag
    if own is None:
        return usual, slow
    trust = tokens / (tokens + TOKENS_TO_TRUST)
    return usual + (own - usual) * trust, slow + (own - slow) * trust
