"""Why a request went where it went, and afterwards the regret: would another have been quicker?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetweb.core.candidates import RoutingDecision
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.upstream.http import shown

from ..cards.figures import elapsed, number, plural
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
_PARTS: Mapping[str, str] = {
    "model": "model not there",
    "latency": "time to first token",
    "load": "requests in hand",
    "memory": "memory in use",
    "gpu": "GPU in use",
    "door": "a door away",
}


@dataclass(frozen=True, slots=True)
class PartCard:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class CandidateCard:
    """One that it could have gone to. `excluded` says why it could not; "" where it could.

    `beside` holds what was expected of it against what it took, "" where that can't be said.
    """

    node: str
    cluster: str
    endpoint: str
    chosen: bool
    score: str
    parts: tuple[PartCard, ...]
    excluded: str
    state: tuple[str, ...]
    expected: str
    beside: str


@dataclass(frozen=True, slots=True)
class WhyCard:
    """`reason` is the sentence that was stored; `regret` is what can be said since."""

    reason: str
    decision: str
    strategy: str
    endpoint: str
    candidates: tuple[CandidateCard, ...]
    expected: str
    took: str
    regret: str


def why(metric: RequestMetric, tries: Sequence[Try]) -> WhyCard | None:
    """None where nobody had to choose: it was answered from memory, or refused before."""
    routing = getattr(metric, "routing", None)
    if routing is None:
        return None
    took_ms = _took_ms(metric, tries)
    return WhyCard(
        reason=_sentence(routing),
        decision=DECISIONS.get(routing.decision, ""),
        strategy=STRATEGIES.get(routing.strategy, ""),
        endpoint=shown(routing.node_endpoint),
        candidates=tuple(_candidate(c, routing, took_ms) for c in routing.candidates),
        expected=elapsed(routing.estimated_latency_ms),
        took=elapsed(took_ms),
        regret=_regret(routing, tries, took_ms),
    )


def _took_ms(metric: RequestMetric, tries: Sequence[Try]) -> float | None:
    """From when whoever answered was given it, loading included, to its first token: as estimates
    are, without the queue and without others that were tried in vain."""
    if metric.ttft_ms is None or metric.cached:
        return None
    sent_ms = tries[-1].start_ms if tries else metric.waited_ms or 0.0
    return max(0.0, metric.ttft_ms - sent_ms + (metric.loading_ms or 0.0))


def _sentence(routing: RoutingRecord) -> str:
    """The stored reason without the decision's own name in front: it stands beside it in words."""
    said = routing.reason.removeprefix(f"{routing.decision}: ")
    begins_with_a_name = said.startswith(tuple(str(c["node"]) for c in routing.candidates))
    return said if begins_with_a_name else f"{said[:1].upper()}{said[1:]}"


def _candidate(
    stored: Mapping[str, Any], routing: RoutingRecord, took_ms: float | None
) -> CandidateCard:
    excluded = stored["excluded"]
    is_chosen = _is_chosen(stored, routing)
    estimated_ms = stored["estimated_latency_ms"]
    return CandidateCard(
        node=stored["node"],
        cluster=stored["cluster"],
        endpoint=shown(stored["node_endpoint"]),
        chosen=is_chosen,
        score=number(stored["score"]),
        parts=tuple(
            PartCard(_PARTS.get(name, name), number(value))
            for name, value in stored["parts"].items()
            if value
        ),
        excluded=f"{excluded}." if excluded else "",
        state=tuple(_state(stored)),
        expected=elapsed(estimated_ms),
        beside="" if is_chosen or excluded else _beside(estimated_ms, took_ms),
    )


def _is_chosen(stored: Mapping[str, Any], routing: RoutingRecord) -> bool:
    return bool(stored["node_endpoint"] == routing.node_endpoint and not stored["excluded"])


def _state(stored: Mapping[str, Any]) -> list[str]:
    told = ["model loaded" if stored["model_loaded"] else "model not loaded"]
    if stored["holds_shard"]:
        told.append("holds a part")
    if stored["in_hand"]:
        told.append(f"{stored['in_hand']} in hand")
    if stored["waiting"]:
        told.append(f"{stored['waiting']} waiting")
    told.append(
        f"{plural(stored['samples'], 'answer')} measured" if stored["samples"] else "never measured"
    )
    return told


def _beside(estimated_ms: float | None, took_ms: float | None) -> str:
    if estimated_ms is None or took_ms is None:
        return ""
    if abs(estimated_ms - took_ms) < 1:
        return "the same"
    word = "less" if estimated_ms < took_ms else "more"
    return f"{elapsed(abs(estimated_ms - took_ms))} {word}"


def _regret(routing: RoutingRecord, tries: Sequence[Try], took_ms: float | None) -> str:
    return " ".join([*_lost(tries), _missed(routing, tries, took_ms)])


def _lost(tries: Sequence[Try]) -> Iterator[str]:
    """The time that went to those who were asked before whoever came last."""
    for tried in tries[:-1]:
        if tried.error:
            yield f"{tried.took} went to {tried.who} in vain."


def _missed(routing: RoutingRecord, tries: Sequence[Try], took_ms: float | None) -> str:
    """What the losers were expected to take, where they could have taken it."""
    if took_ms is None:
        return "No first token came from it, so there is nothing to compare."
    in_vain = {tried.endpoint for tried in tries if tried.error}
    out = {c["cluster"] for c in routing.candidates if shown(c["node_endpoint"]) in in_vain}
    losers = [c for c in routing.candidates if not c["excluded"] and not _is_chosen(c, routing)]
    if routing.decision == RoutingDecision.FALLBACK:
        losers = [c for c in losers if c["cluster"] not in out]
    if not losers:
        return "Nobody else could have taken it."
    elsewhere = [c for c in losers if c["cluster"] != _cluster(routing)]
    if not elsewhere:
        return (
            "The other doors lead to the same cluster, which would have taken as long: "
            "exo itself picks the machines."
        )
    known = [c for c in elsewhere if c["estimated_latency_ms"] is not None]
    if not known:
        return "Nobody knew how long the others would have taken."
    return _compared(min(known, key=lambda c: float(c["estimated_latency_ms"])), took_ms)


def _cluster(routing: RoutingRecord) -> str | None:
    chosen = (c["cluster"] for c in routing.candidates if _is_chosen(c, routing))
    return next(chosen, None)


def _compared(best: Mapping[str, Any], took_ms: float) -> str:
    estimated_ms = float(best["estimated_latency_ms"])
    expected = f"{best['node']} was expected to take {elapsed(estimated_ms)}"
    if estimated_ms < took_ms * WORTH_REGRETTING:
        saved = elapsed(took_ms - estimated_ms)
        return f"Another might have been quicker: {expected}, which is {saved} less."
    return f"Nobody was expected to be quicker: {expected}."
