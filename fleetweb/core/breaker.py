"""Circuit breakers: a door or provider that keeps failing is left in peace, then tried again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

FAILURES = 5
WINDOW = timedelta(seconds=60)
REST = timedelta(seconds=30)
SUCCESSES = 2
LONGEST_WAIT_S = 86_400.0  # nobody is left alone for longer than a day, whatever they ask

# A probe that nobody reported back on must not keep a door half-open for good. A frontier model
# reads for minutes before its first word, so this is long.
PROBE_PATIENCE = timedelta(minutes=10)


class BreakerState(StrEnum):
    CLOSED = "closed"  # requests go through
    OPEN = "open"  # none do
    HALF_OPEN = "half_open"  # one at a time does, to see


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """What one door or provider has lately made of its requests.

    Report every request: `sent`, then one of `succeeded`, `failed` and `abandoned`. `open_until`
    is None while closed; `asked_for` says that the other side set it, with `Retry-After`.
    """

    failed_at: tuple[datetime, ...] = ()
    open_until: datetime | None = None
    asked_for: bool = False
    successes: int = 0
    probe_sent_at: datetime | None = None

    def state(self, now: datetime) -> BreakerState:
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN

    def admits(self, now: datetime) -> bool:
        """Whether a request may be sent now."""
        state = self.state(now)
        if state is BreakerState.HALF_OPEN:
            return self.probe_sent_at is None or now - self.probe_sent_at >= PROBE_PATIENCE
        return state is BreakerState.CLOSED

    def opens_in_s(self, now: datetime) -> float:
        """Seconds until a request may be tried again; 0 where one may be now."""
        if self.open_until is None:
            return 0.0
        return max(0.0, (self.open_until - now).total_seconds())

    def sent(self, now: datetime) -> Self:
        """A request is on its way: half-open, it is the probe."""
        if self.state(now) is BreakerState.HALF_OPEN and self.admits(now):
            return replace(self, probe_sent_at=now)
        return self

    def succeeded(self, now: datetime) -> Self:
        """It answered. While open, that answers a question from before and proves little."""
        if self.state(now) is not BreakerState.HALF_OPEN:
            return self
        if self.successes + 1 >= SUCCESSES:
            return type(self)()
        return replace(self, successes=self.successes + 1, probe_sent_at=None)

    def failed(self, now: datetime, retry_after_s: float | None = None) -> Self:
        """It failed in a way that was not the caller's fault."""
        if retry_after_s is not None:
            return self._left_alone(now, retry_after_s)
        if self.state(now) is BreakerState.HALF_OPEN:
            return type(self)(open_until=now + REST)
        if self.state(now) is BreakerState.OPEN:
            return self
        recent = (*(at for at in self.failed_at if now - at < WINDOW), now)
        if len(recent) >= FAILURES:
            return type(self)(open_until=now + REST)
        return replace(self, failed_at=recent)

    def _left_alone(self, now: datetime, retry_after_s: float) -> Self:
        wait_s = min(max(0.0, retry_after_s), LONGEST_WAIT_S)
        until = now + timedelta(seconds=wait_s)
        if self.open_until is not None and until <= self.open_until:
            return replace(self, probe_sent_at=None, successes=0)
        return type(self)(open_until=until, asked_for=True)

    def abandoned(self) -> Self:
        """The caller went away before it could tell: the next one may probe."""
        return replace(self, probe_sent_at=None)


def admitted(breakers: Mapping[str, CircuitBreaker], now: datetime) -> frozenset[str]:
    """Those of several doors that a request may be sent to now.

    The only door is never closed for good: where none admits a request, the one that comes back
    first is tried all the same, and not by one probe at a time, for refusing would spare nothing.
    One that asked to be left alone (`Retry-After`) is not tried until then.
    """
    open_doors = frozenset(name for name, breaker in breakers.items() if breaker.admits(now))
    if open_doors:
        return open_doors
    triable = [
        (breaker.opens_in_s(now), name)
        for name, breaker in breakers.items()
        if not (breaker.asked_for and breaker.state(now) is BreakerState.OPEN)
    ]
    return frozenset(name for _, name in sorted(triable)[:1])
