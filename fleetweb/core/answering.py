"""Values for looking back: what machines answered, how they were, and what stands out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .presence import CognitiveState


class Measured(StrEnum):
    TTFT = "ttft"
    LATENCY = "latency"


class Against(StrEnum):
    OTHERS = "others"
    ITSELF = "itself"


@dataclass(frozen=True, slots=True)
class Slot:
    """The requests of one stretch of time; the medians are None where none was answered."""

    begins_s: int
    ends_s: int
    count: int = 0
    errors: int = 0
    ttft_ms: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What one machine answered with one model, over time."""

    machine: str
    model: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Felt:
    """How one machine was in one stretch of time: seconds in each state, and its hottest."""

    begins_s: int
    ends_s: int
    states: Mapping[CognitiveState, float] = field(default_factory=dict)
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A state that needs its owner, and for how long it lasted."""

    state: CognitiveState
    lasted_s: float


@dataclass(frozen=True, slots=True)
class Reasons:
    """What else was seen of the machine then. `hot_c` is None unless it was hot.

    `elsewhere` is the worst trouble that another machine had meanwhile, where that was graver than
    its own. `are_looked_for` is False where what it did then was not read at all.
    """

    troubles: tuple[Trouble, ...] = ()
    hot_c: float | None = None
    others_c: float | None = None
    elsewhere: tuple[str, Trouble] | None = None
    are_looked_for: bool = True

    @property
    def are_known(self) -> bool:
        """Whether the machine itself explains it."""
        return bool(self.troubles) or self.hot_c is not None


@dataclass(frozen=True, slots=True)
class Slow:
    """`times` is how many times as long the median answer took as `usual_ms`."""

    machine: str
    model: str
    measured: Measured
    against: Against
    begins_s: int
    ends_s: int
    took_ms: float
    usual_ms: float
    requests: int
    reasons: Reasons = Reasons()

    @property
    def times(self) -> float:
        return self.took_ms / self.usual_ms

    @property
    def weight(self) -> tuple[bool, bool, float]:
        """What makes it worth saying first; last of it, how long people waited more than usual.

        The first token says more than the whole answer, which takes its length; and what others
        did at the same time says more than what was at another.
        """
        lost_ms = (self.took_ms - self.usual_ms) * self.requests
        return self.measured is Measured.TTFT, self.against is Against.OTHERS, lost_ms


@dataclass(frozen=True, slots=True)
class Failing:
    """Requests of a machine failed or were interrupted, `errors` of `requests`."""

    machine: str
    begins_s: int
    ends_s: int
    errors: int
    requests: int
    reasons: Reasons = Reasons()


@dataclass(frozen=True, slots=True)
class Away:
    """A machine needed its owner, and no request tells of it. `beside` had the same all along."""

    machine: str
    begins_s: int
    ends_s: int
    trouble: Trouble
    beside: tuple[str, ...] = ()
