"""How long a request will take, to its first token and to its end: "About 40 s, at most 70"."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from .latency import Histogram
from .pace import Ask, Pace

# From nine misses on, the ninth decile of what was seen is one of them. Before, that is not known:
# twice the median is then the least that "at most" may mean.
DECILE_FROM = 9
UNLEARNED_SPREAD = 2.0
SPREAD_UNMEASURED = 1.5  # of queues, and of loading while it was seen too rarely


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds that half and nine in ten of such requests stay within, since they were made."""

    p50_s: float
    p90_s: float

    @property
    def spread_s(self) -> float:
        return self.p90_s - self.p50_s

    def then(self, other: Self) -> Self:
        """One after the other: their spreads are chance, so they add up as squares."""
        p50_s = self.p50_s + other.p50_s
        return type(self)(p50_s, p50_s + math.hypot(self.spread_s, other.spread_s))

    def since(self, elapsed_s: float) -> Self:
        """The same, knowing that it has not come yet; past its ninth decile it stands as it was."""
        return type(self)(min(max(self.p50_s, elapsed_s), self.p90_s), self.p90_s)


@dataclass(frozen=True, slots=True)
class Forecast:
    """None where nothing is known, instead of a guess."""

    first_token: Estimate | None = None
    end: Estimate | None = None

    def after(self, seconds: float) -> Self:
        """The same for what began `seconds` later."""
        before = Estimate(seconds, seconds)
        first_token, end = self.first_token, self.end
        return type(self)(first_token and before.then(first_token), end and before.then(end))


def forecast(pace: Pace, ask: Ask) -> Forecast:
    """What to expect of `ask` at the place that `pace` was learned of, when it is made."""
    before = _before(pace, ask)
    if before is None:
        return Forecast()
    alone = served(pace, ask)
    return Forecast(
        first_token=before.then(alone.first_token) if alone.first_token else None,
        end=before.then(alone.end) if alone.end else None,
    )


def _before(pace: Pace, ask: Ask) -> Estimate | None:
    """The queue and the loading. None where one of them is to be and nobody knows how long."""
    if ask.wait_s is None:
        return None
    queue = Estimate(ask.wait_s, ask.wait_s * SPREAD_UNMEASURED)
    if not ask.needs_loading:
        return queue
    loading = _loading(pace.measure("loading"))
    return queue.then(loading) if loading else None


def _loading(measured: Histogram) -> Estimate | None:
    p50_s, p90_s = measured.percentile(50), measured.percentile(90)
    if p50_s is None or p90_s is None:
        return None
    if measured.count < DECILE_FROM:
        p90_s = max(p90_s, p50_s * SPREAD_UNMEASURED)
    return Estimate(p50_s, p90_s)


def served(pace: Pace, ask: Ask) -> Forecast:
    """Reading and writing alone."""
    first_token = _within(pace.first_token_s(ask), pace, "first")
    end = _within(pace.end_s(ask), pace, f"end.{pace.bound(ask)}")
    if first_token is not None and end is not None:
        end = _bounded(end, first_token, pace, ask)
        end = Estimate(max(end.p50_s, first_token.p50_s), max(end.p90_s, first_token.p90_s))
    return Forecast(first_token, end)


def _within(expected_s: float | None, pace: Pace, misses: str) -> Estimate | None:
    """The expectation, corrected by how far off earlier ones were."""
    if expected_s is None:
        return None
    usual, worst = pace.once(("misses", misses), lambda: _corrections(_misses(pace, misses)))
    return Estimate(expected_s * usual, expected_s * worst)


def _misses(pace: Pace, name: str) -> Histogram:
    """Actual over expected of answers that ended alike, or of all while those are too few."""
    if name == "first" or pace.count(name) >= DECILE_FROM:
        return pace.measure(name)
    return pace.measure("end.free").merge(pace.measure("end.bounded"))


def _corrections(misses: Histogram) -> tuple[float, float]:
    """How many times the expectation half, and nine in ten, stay within."""
    usual = _covering(misses, 0.5) or 1.0
    if misses.count < DECILE_FROM:
        return usual, max(misses.max or 0.0, usual * UNLEARNED_SPREAD)
    return usual, _covering(misses, 0.9) or usual


def _covering(misses: Histogram, share: float) -> float | None:
    """What the next one stays within with a chance of `share`, however they are distributed.

    That is the share · (n + 1)th of n (split conformal prediction), between its neighbours.
    """
    rank = share * (misses.count + 1)
    below = misses.percentile(100 * math.floor(rank) / misses.count) if misses.count else None
    above = misses.percentile(100 * math.ceil(rank) / misses.count) if misses.count else None
    if below is None or above is None:
        return None
    return below + (above - below) * (rank % 1)


def _bounded(end: Estimate, first_token: Estimate, pace: Pace, ask: Ask) -> Estimate:
    """No answer is longer than its caller allows."""
    if ask.max_tokens is None:
        return end
    usual_s, slow_s = (pace.writing_s(ask, ask.max_tokens, q) for q in (50, 10))
    if usual_s is None or slow_s is None:
        return end
    longest = first_token.then(Estimate(usual_s, slow_s))
    return Estimate(min(end.p50_s, longest.p50_s), min(end.p90_s, longest.p90_s))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How many forecasts there were, and how many of them held."""

    forecasts: int = 0
    within_p50: int = 0
    within_p90: int = 0

    def observe(self, estimate: Estimate, actual_s: float) -> Self:
        return self.merged(
            (self, type(self)(1, actual_s <= estimate.p50_s, actual_s <= estimate.p90_s))
        )

    @classmethod
    def merged(cls, parts: Iterable[Self]) -> Self:
        known = tuple(parts)
        return cls(
            sum(part.forecasts for part in known),
            sum(part.within_p50 for part in known),
            sum(part.within_p90 for part in known),
        )

    @property
    def coverage(self) -> float | None:
        """The share that stayed within "at most"; it should be about 0.9. None before any."""
        return self.within_p90 / self.forecasts if self.forecasts else None


def expected(estimate: Estimate | None, elapsed_s: float = 0.0) -> str | None:
    """What is left, in words: "About 40 s, at most 70."; None where nothing is known."""
    if estimate is None:
        return None
    if elapsed_s > estimate.p90_s:
        return f"Longer than expected: {_amount(elapsed_s)} so far."
    about = _amount(max(0.0, estimate.p50_s - elapsed_s))
    most = _amount(estimate.p90_s - elapsed_s, up=True)
    if about == most:
        return f"About {about}."
    number, unit = most.split(" ")
    return f"About {about}, at most {number if about.endswith(f' {unit}') else most}."


def _amount(seconds: float, *, up: bool = False) -> str:
    """As exact as a forecast can be: `4 s`, `40 s`, `4 min`, `3 h`."""
    units = ((1, "s"), (60, "min"))
    size, unit = next((one for one in units if seconds < 120 * one[0]), (3600, "h"))
    number = seconds / size
    step = 1 if number < 10 else 5 if number < 60 else 10
    whole = math.ceil(number / step - 1e-9) if up else round(number / step)
    return f"{max(1, whole) * step} {unit}"
