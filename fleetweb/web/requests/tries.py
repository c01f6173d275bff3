"""The attempts of a request, in words."""

from dataclasses import dataclass

from fleetweb.core import words
from fleetweb.gateway.measures import Attempt
from fleetweb.gateway.models import RequestMetric
from fleetweb.gateway.past import attempts_of
from fleetweb.upstream.http import shown

from ..cards.figures import elapsed


@dataclass(frozen=True, slots=True)
class Try:
    """One try at one provider, `start_ms` after the request was asked; `error` is "" for none."""

    who: str
    model: str
    endpoint: str
    start_ms: float
    took_ms: float
    error: str

    @property
    def took(self) -> str:
        return elapsed(self.took_ms)


def tries_of(metric: RequestMetric) -> tuple[Try, ...]:
    """In the order in which they were made; none where nothing was sent anywhere."""
    return tuple(_try(metric, attempt) for attempt in attempts_of(metric))


def _try(metric: RequestMetric, attempt: Attempt) -> Try:
    return Try(
        who=attempt.node or attempt.provider,
        model=words.short_model(attempt.model),
        endpoint=shown(attempt.endpoint),
        start_ms=(attempt.at - metric.asked_at).total_seconds() * 1000,
        took_ms=attempt.took_ms,
        error=attempt.error or "",
    )
