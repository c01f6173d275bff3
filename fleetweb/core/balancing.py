"""Where a request goes: the four strategies over the doors of every cluster that could serve it.

A request to exo names a model; exo's master picks the instance, and the answer flows back through
the machine that was asked. So what is chosen here is the cluster and the door, never more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from ..errors import NoCandidate
from . import reasons
from .candidates import (
    Candidate,
    Door,
    LoadBalanceStrategy,
    RoutingDecision,
    ScoredCandidate,
    exclusion,
)
from .strategies import STRATEGIES, Strategy

__all__ = [
    "BalanceState",
    "Candidate",
    "LoadBalanceStrategy",
    "RouteResult",
    "RoutingDecision",
    "ScoredCandidate",
    "choose",
    "fell_back",
    "rank",
]

REMEMBERED_DOORS = 512


@dataclass(frozen=True, slots=True)
class RouteResult:
    """Where a request goes and why. `node_endpoint` is the address to ask.

    `estimated_latency_ms` is until the first token, None where nothing is known. `candidates` are
    all that there were, best first, the excluded ones last. `node` and `cluster` are None for a
    provider outside the fleet.
    """

    node_endpoint: str
    reason: str
    estimated_latency_ms: float | None
    model_loaded: bool
    candidates: tuple[ScoredCandidate, ...]
    decision: RoutingDecision
    strategy: LoadBalanceStrategy | None = None
    cluster: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class BalanceState:
    """What earlier decisions leave behind: whose turn was when, and what has been sent where.

    exo shows a request up to a second late; `sent` counts it from the decision on, so that a burst
    does not all go to the place that looked idle. Give back what is over with `released`.
    """

    turn: int = 0
    turns: Mapping[Door, int] = field(default_factory=dict)
    sent: Mapping[Door, int] = field(default_factory=dict)

    def taken(self, door: Door) -> Self:
        turns = {**self.turns, door: self.turn + 1}
        if len(turns) > REMEMBERED_DOORS:
            del turns[min(turns, key=turns.__getitem__)]
        sent = {**self.sent, door: self.sent.get(door, 0) + 1}
        return replace(self, turn=self.turn + 1, turns=turns, sent=sent)

    def released(self, door: Door) -> Self:
        """A request that went to `door` is over."""
        left = self.sent.get(door, 0) - 1
        others = {other: count for other, count in self.sent.items() if other != door}
        return replace(self, sent={**others, door: left} if left > 0 else others)


def choose(
    strategy: LoadBalanceStrategy,
    candidates: Iterable[Candidate],
    state: BalanceState,
    *,
    model: str,
    may_load: bool = True,
) -> tuple[RouteResult, BalanceState]:
    """Where a request for `model` goes, and the state after it went.

    A dry run drops the state. The same arguments, in any order, give the same answer. Taking a
    candidate that lost away changes nothing, in round robin too: turns are kept by door, and the
    one whose turn is longest ago is next. Raises NoCandidate, which says what is missing.
    """
    ranked = rank(strategy, candidates, state, model=model, may_load=may_load)
    eligible = [scored.candidate for scored in ranked if scored.excluded is None]
    if not eligible:
        raise NoCandidate(reasons.missing(ranked, model))
    result = _result(strategy, eligible, ranked, model)
    return result, state.taken(eligible[0].key)


def rank(
    strategy: LoadBalanceStrategy,
    candidates: Iterable[Candidate],
    state: BalanceState,
    *,
    model: str,
    may_load: bool = True,
) -> tuple[ScoredCandidate, ...]:
    """All candidates with their scores, best first, those that are out of the question last."""
    weighing = STRATEGIES[strategy]
    scored = [
        _scored(candidate, weighing, exclusion(candidate, model, may_load=may_load))
        for candidate in _as_of_now(candidates, state)
    ]
    return tuple(sorted(scored, key=lambda one: _order(one, state)))


def _scored(candidate: Candidate, weighing: Strategy, excluded: str | None) -> ScoredCandidate:
    parts = weighing.parts(candidate)
    return ScoredCandidate(candidate, sum(parts.values()), parts, excluded)


def _order(scored: ScoredCandidate, state: BalanceState) -> tuple[bool, float, int, Door, str]:
    candidate = scored.candidate
    turn = state.turns.get(candidate.key, 0)
    return scored.excluded is not None, scored.score, turn, candidate.key, candidate.node


def _as_of_now(candidates: Iterable[Candidate], state: BalanceState) -> list[Candidate]:
    """The candidates with what has been sent to them since they were last looked at."""
    by_cluster: Counter[str] = Counter()
    for (cluster, _), count in state.sent.items():
        by_cluster[cluster] += count
    return [
        replace(
            candidate,
            in_hand=max(candidate.in_hand, by_cluster[candidate.cluster]),
            streams=max(candidate.streams, state.sent.get(candidate.key, 0)),
        )
        if candidate.cluster in by_cluster
        else candidate
        for candidate in candidates
    ]


def _result(
    strategy: LoadBalanceStrategy,
    eligible: Sequence[Candidate],
    ranked: tuple[ScoredCandidate, ...],
    model: str,
) -> RouteResult:
    winner = eligible[0]
    runner_up = next((other for other in eligible if other.node != winner.node), None)
    decision = STRATEGIES[strategy].decision(winner, runner_up)
    return RouteResult(
        node_endpoint=winner.door,
        reason=reasons.chosen(decision, winner, runner_up, ranked, model),
        estimated_latency_ms=winner.estimated_ms,
        model_loaded=winner.loaded,
        candidates=ranked,
        decision=decision,
        strategy=strategy,
        cluster=winner.cluster,
        node=winner.node,
    )


def fell_back(
    provider: str, endpoint: str, because: str, candidates: tuple[ScoredCandidate, ...] = ()
) -> RouteResult:
    """The route to a provider outside the fleet; `because` is a sentence, such as an error's."""
    return RouteResult(
        node_endpoint=endpoint,
        reason=f"{RoutingDecision.FALLBACK}: {provider} stands in. {because}",
        estimated_latency_ms=None,
        model_loaded=False,
        candidates=candidates,
        decision=RoutingDecision.FALLBACK,
    )
