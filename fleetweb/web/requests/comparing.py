"""One measure for all that is said of first tokens: what it took, beside what was expected.

From when whoever answered was given the request, with loading the model where it had to be loaded;
without the queue, and without others that were tried in vain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetweb.core.candidates import MIN_SAMPLES, RoutingDecision
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.upstream.http import shown

from ..cards.figures import elapsed
from .tries import Try

LOADING_INCLUDED = "loading included"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`took_ms` is None where no first token was measured. `cluster` is where it went, None for
    outside the fleet; `out` are those that could not have taken it, because they had just failed.
    """

    took_ms: float | None
    cluster: str | None
    out: frozenset[str]

    def rivals(self, routing: RoutingRecord) -> Iterator[Mapping[str, Any]]:
        """Who else could have taken it."""
        for stored in routing.candidates:
            lost = not stored["excluded"] and not is_chosen(stored, routing)
            if lost and stored["cluster"] not in self.out:
                yield stored

    def beside(self, stored: Mapping[str, Any]) -> str:
        """What was expected of a loser against what it took, "" where that can't be said."""
        if self.took_ms is None:
            return ""
        if stored["cluster"] in self.out:
            return "its cluster was tried in vain"
        if stored["cluster"] == self.cluster:
            return "as long: the same cluster"
        estimated_ms = whole_estimate_ms(stored)
        return "" if estimated_ms is None else _difference(estimated_ms - self.took_ms)


def compare(metric: RequestMetric, routing: RoutingRecord, tries: Sequence[Try]) -> Comparison:
    chosen = (c["cluster"] for c in routing.candidates if is_chosen(c, routing))
    out: set[str] = set()
    if routing.decision == RoutingDecision.FALLBACK:
        in_vain = {tried.endpoint for tried in tries if tried.error}
        out = {c["cluster"] for c in routing.candidates if shown(c["node_endpoint"]) in in_vain}
    return Comparison(_took_ms(metric, tries), next(chosen, None), frozenset(out))


def is_chosen(stored: Mapping[str, Any], routing: RoutingRecord) -> bool:
    return bool(stored["node_endpoint"] == routing.node_endpoint and not stored["excluded"])


def whole_estimate_ms(stored: Mapping[str, Any]) -> float | None:
    """None where nobody knew, and where only the time to load was known."""
    known = stored["samples"] >= MIN_SAMPLES
    return stored["estimated_latency_ms"] if known else None


def expectation(stored: Mapping[str, Any]) -> tuple[str, str]:
    """The time that was expected, and what of it that is where it is not reading alone."""
    said = elapsed(stored["estimated_latency_ms"])
    if stored["estimated_latency_ms"] is None or stored["model_loaded"]:
        return said, ""
    return said, "for loading alone" if whole_estimate_ms(stored) is None else LOADING_INCLUDED


def _took_ms(metric: RequestMetric, tries: Sequence[Try]) -> float | None:
    if metric.ttft_ms is None or metric.cached:
        return None
    sent_ms = tries[-1].start_ms if tries else metric.waited_ms or 0.0
    return max(0.0, metric.ttft_ms - sent_ms + (metric.loading_ms or 0.0))


def _difference(more_ms: float) -> str:
    if abs(more_ms) < 1:
        return "as long"
    return f"{elapsed(abs(more_ms))} {'less' if more_ms < 0 else 'more'}"
