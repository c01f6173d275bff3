"""Why a request went where it went, and afterwards the regret: would another have been quicker?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetweb.core.candidates import RoutingDecision
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.upstream.http import shown

from ..cards.figures import elapsed
from .candidates import CandidateCard, candidate_card
from .comparing import (
    LOADING_INCLUDED,
    Comparison,
    compare,
    expectation,
    is_chosen,
    whole_estimate_ms,
)
from .tries import Try

# Less than this is no difference: two that are so close are told apart by what they have in hand.
WORTH_REGRETTING = 0.9

DECISIONS: Mapping[str, str] = {
    RoutingDecision.MODEL_LOADED: "it had the model loaded",
    RoutingDecision.LOWEST_LATENCY: "its first token was expected soonest",
    RoutingDecision.LOWEST_LOAD: "it had least to do",
    RoutingDecision.FALLBACK: "it stood in for the fleet",
    RoutingDecision.ROUND_ROBIN: "it was its turn",
}
STRATEGIES: Mapping[str, str] = {
    "round_robin": "round robin",
    "least_loaded": "least loaded",
    "latency_aware": "latency-aware",
    "model_affinity": "model affinity",
}


@dataclass(frozen=True, slots=True)
class WhyCard:
    """`reason` is the sentence that was stored; `timing` and `regret` are what can be said since.

    `expected` and `took` are to the first token, measured as `comparing` does.
    """

    reason: str
    decision: str
    strategy: str
    endpoint: str
    candidates: tuple[CandidateCard, ...]
    expected: str
    took: str
    timing: str
    regret: str


def why(metric: RequestMetric, tries: Sequence[Try]) -> WhyCard | None:
    """None where nobody had to choose: it was answered from memory, or refused before."""
    routing = getattr(metric, "routing", None)
    if routing is None:
        return None
    compared = compare(metric, routing, tries)
    return WhyCard(
        reason=_sentence(routing),
        decision=DECISIONS.get(routing.decision, ""),
        strategy=STRATEGIES.get(routing.strategy, ""),
        endpoint=shown(routing.node_endpoint),
        candidates=tuple(candidate_card(c, routing, compared) for c in routing.candidates),
        expected=elapsed(routing.estimated_latency_ms),
        took=elapsed(compared.took_ms),
        timing=_timing(metric, routing, tries, compared.took_ms),
        regret=" ".join([*_lost(tries), _missed(metric, routing, compared)]),
    )


def _sentence(routing: RoutingRecord) -> str:
    """The stored reason without the decision's own name in front: it stands beside it in words."""
    said = routing.reason.removeprefix(f"{routing.decision}: ")
    begins_with_a_name = said.startswith(tuple(str(c["node"]) for c in routing.candidates))
    return said if begins_with_a_name else f"{said[:1].upper()}{said[1:]}"


def _timing(
    metric: RequestMetric, routing: RoutingRecord, tries: Sequence[Try], took_ms: float | None
) -> str:
    """What it took beside what was expected, and what both are times of."""
    if took_ms is None:
        return ""
    since = f"From when {tries[-1].who} was given it" if tries else "Once it was its turn"
    loading = ", loading the model included" if metric.loading_ms else ""
    return f"{since}, the first token took {elapsed(took_ms)}{loading}{_expected(routing)}."


def _expected(routing: RoutingRecord) -> str:
    if routing.estimated_latency_ms is None:
        return ""
    chosen = next((c for c in routing.candidates if is_chosen(c, routing)), None)
    of_what = expectation(chosen)[1] if chosen else ""
    comma = "," if of_what == LOADING_INCLUDED else ""
    said = f"; {elapsed(routing.estimated_latency_ms)} were expected"
    return f"{said}{comma} {of_what}" if of_what else said


def _lost(tries: Sequence[Try]) -> Iterator[str]:
    """The time that went to those who were asked before whoever came last."""
    for tried in tries[:-1]:
        if tried.error:
            yield f"{tried.took} went to {tried.who} in vain."


def _missed(metric: RequestMetric, routing: RoutingRecord, compared: Comparison) -> str:
    """What the losers were expected to take, where they could have taken it."""
    if metric.cached:
        return "It was answered from memory, so there is nothing to compare."
    if compared.took_ms is None:
        return "No first token of it was measured, so there is nothing to compare."
    losers = list(compared.rivals(routing))
    if not losers:
        return "Nobody else could have taken it."
    elsewhere = [c for c in losers if c["cluster"] != compared.cluster]
    if not elsewhere:
        return (
            "The other doors lead to the same cluster, which would have taken as long: "
            "exo itself picks the machines."
        )
    known = [(ms, c["node"]) for c in elsewhere if (ms := whole_estimate_ms(c)) is not None]
    if not known:
        return "Nobody knew how long the others would have taken."
    estimated_ms, best = min(known)
    return _judged(best, estimated_ms, compared.took_ms)


def _judged(best: str, estimated_ms: float, took_ms: float) -> str:
    expected = f"{best} was expected to take {elapsed(estimated_ms)}"
    if estimated_ms < took_ms * WORTH_REGRETTING:
        saved = elapsed(took_ms - estimated_ms)
        return f"Another might have been quicker: {expected}, which is {saved} less."
    much = "much " if estimated_ms < took_ms else ""
    return f"Nobody was expected to be {much}quicker: {expected}."
