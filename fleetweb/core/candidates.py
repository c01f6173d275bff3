"""The places a request could go to, what is known of each, and why one may be ruled out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from .breaker import BreakerState
from .words import short_model

MIN_SAMPLES = 3
UNLEARNED_LOAD_MS = 5000.0

Door: TypeAlias = tuple[str, str]  # cluster, address


class LoadBalanceStrategy(StrEnum):
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    LATENCY_AWARE = "latency_aware"
    MODEL_AFFINITY = "model_affinity"


class RoutingDecision(StrEnum):
    """What decided where a request went."""

    MODEL_LOADED = "model_loaded"
    LOWEST_LATENCY = "lowest_latency"
    LOWEST_LOAD = "lowest_load"
    FALLBACK = "fallback"
    ROUND_ROBIN = "round_robin"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One door of one cluster, for one model and one prompt size.

    exo's master picks the instance itself, so what is true of the cluster (`loaded`, `held_up`,
    `in_hand`, `ttft_ms`…) is the same for all its doors; `node`, `holds_shard`, `busy_elsewhere`
    and `streams` are the door's own. None means that nobody knows.
    """

    cluster: str
    door: str  # the address to ask
    node: str  # the machine behind it, by name
    healthy: bool = True  # it answers
    breaker: BreakerState = BreakerState.CLOSED
    admitted: bool = True  # what `breaker.admitted` says of it
    loaded: bool = False
    loading: bool = False
    held_up: str | None = None  # why a model that is placed can't answer: "soldier3 is gone"
    fits: bool | None = None  # in free memory, with nothing evicted
    holds_shard: bool = False
    busy_elsewhere: bool = False  # its machine works for another model
    streams: int = 0  # answers that flow through this door
    in_hand: int = 0
    waiting: int = 0
    memory_free_bytes: int | None = None
    gpu_usage: float | None = None  # 0..1
    ttft_ms: float | None = None  # learned, for this model at this prompt size
    ttft_samples: int = 0
    load_ms: float | None = None  # learned, for this model

    @property
    def key(self) -> Door:
        return self.cluster, self.door

    @property
    def load(self) -> int:
        return self.in_hand + self.waiting

    @property
    def learned_ttft_ms(self) -> float | None:
        """The time to first token, once enough samples stand behind it."""
        return self.ttft_ms if self.ttft_samples >= MIN_SAMPLES else None

    @property
    def loading_ms(self) -> float:
        """What having to load the model first costs; 0 where it is loaded."""
        if self.loaded:
            return 0.0
        return UNLEARNED_LOAD_MS if self.load_ms is None else self.load_ms

    @property
    def estimated_ms(self) -> float | None:
        """Learned time to first token and time to load; None where neither says anything."""
        if self.learned_ttft_ms is None:
            return self.loading_ms or None
        return self.learned_ttft_ms + self.loading_ms


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate with its score, lower being better, and the parts that it is the sum of.

    `excluded` says in words why it could not be chosen; None where it could.
    """

    candidate: Candidate
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    excluded: str | None = None


def exclusion(candidate: Candidate, model: str, *, may_load: bool) -> str | None:
    """Why `candidate` is out of the question, as what follows its name; None where it is not."""
    if not candidate.healthy:
        return "does not answer"
    if not candidate.admitted:
        return _RESTING[candidate.breaker]
    if candidate.loaded or candidate.loading or (may_load and candidate.fits):
        return None
    name = short_model(model)
    if candidate.held_up:
        return f"can't answer for {name} while {candidate.held_up}"
    if not may_load:
        return f"does not have {name} loaded"
    if candidate.fits is None:
        return f"may not have room for {name}: its size is not known"
    return f"has no room for {name}"


_RESTING = {
    BreakerState.CLOSED: "takes no requests at the moment",
    BreakerState.OPEN: "is left in peace after failing repeatedly",
    BreakerState.HALF_OPEN: "is just being tried again by another request",
}
