"""Why a request went where it went, and what is missing where it could go nowhere."""

from collections.abc import Sequence

from .candidates import Candidate, RoutingDecision, ScoredCandidate
from .words import duration, short_model

NAMED = 4  # machines that a sentence can name and still be read


def chosen(
    decision: RoutingDecision,
    winner: Candidate,
    runner_up: Candidate | None,
    ranked: Sequence[ScoredCandidate],
    model: str,
) -> str:
    """One sentence: what decided, what is so of the winner, and what the next best lacked."""
    name = short_model(model)
    because = f"{decision}: {_merit(decision, winner, name)}"
    if not winner.loaded:
        because += f", and {_loading(winner, name)}"
    return f"{because}; {_rest(winner, runner_up, ranked)}."


def _merit(decision: RoutingDecision, winner: Candidate, name: str) -> str:
    if decision is RoutingDecision.MODEL_LOADED:
        return f"{_holder(winner, name)} and {_at_hand(winner)} there"
    if decision is RoutingDecision.LOWEST_LATENCY and winner.learned_ttft_ms is not None:
        once = "" if winner.loaded else f", once {name} is loaded"
        return (
            f"{winner.node} takes about {_span(winner.learned_ttft_ms)} "
            f"to the first token at this prompt size{once}"
        )
    if decision is RoutingDecision.ROUND_ROBIN:
        return f"it is the turn of {winner.node}"
    return f"{_at_hand(winner)} at {winner.node}"


def _holder(winner: Candidate, name: str) -> str:
    if winner.holds_shard:
        return f"{winner.node} holds {name}"
    return f"{winner.cluster} holds {name}, is asked through {winner.node}"


def _at_hand(candidate: Candidate) -> str:
    if not candidate.load:
        return "nothing is waiting"
    if candidate.waiting:
        return f"{candidate.in_hand} in hand and {candidate.waiting} waiting"
    return f"{_requests(candidate.in_hand)} in hand"


def _requests(count: int) -> str:
    return "1 request is" if count == 1 else f"{count} requests are"


def _loading(winner: Candidate, name: str) -> str:
    if winner.loading:
        return f"{name} is being loaded there"
    known = "" if winner.load_ms is None else f" in about {_span(winner.load_ms)}"
    return f"{name} can be loaded there{known}"


def _rest(winner: Candidate, runner_up: Candidate | None, ranked: Sequence[ScoredCandidate]) -> str:
    if runner_up is not None:
        return f"{runner_up.node} {_shortfall(winner, runner_up)}"
    out = [
        f"{scored.candidate.node} {scored.excluded}"
        for scored in ranked
        if scored.excluded and scored.candidate.node != winner.node
    ]
    return f"no other could: {_few(out)}" if out else "there is no other"


def _shortfall(winner: Candidate, other: Candidate) -> str:
    """What is said against `other` beside `winner`, the weightiest thing first."""
    if winner.loaded and not other.loaded:
        return "does not have it loaded"
    mine, its = winner.learned_ttft_ms, other.learned_ttft_ms
    if mine is not None and its is not None and its > mine * 1.01:
        return f"was {_span(its - mine)} slower at this prompt size"
    if other.load > winner.load:
        return f"has {other.load - winner.load} more in hand"
    if winner.holds_shard and not other.holds_shard:
        return "holds no part of it"
    if not winner.loaded and _memory(other) < _memory(winner):
        return "has less memory free"
    return "came next"


def _memory(candidate: Candidate) -> int:
    return candidate.memory_free_bytes or 0


def missing(ranked: Sequence[ScoredCandidate], model: str) -> str:
    """Why nothing can answer for `model`, and what to do about it."""
    name = short_model(model)
    if not ranked:
        return (
            f"No exo cluster is connected that could answer for {name}. "
            "Give its address with --exo or FLEETWEB_EXO_URLS."
        )
    said = dict.fromkeys(f"{one.candidate.node} {one.excluded}" for one in ranked)
    return f"Nothing can answer for {name}: {_few(list(said))}. {_advice(ranked)}"


def _advice(ranked: Sequence[ScoredCandidate]) -> str:
    if not any(one.candidate.healthy for one in ranked):
        return "Look whether exo runs on them."
    if not any(one.candidate.healthy and one.candidate.admitted for one in ranked):
        return "Try again in half a minute."
    if any(one.candidate.held_up for one in ranked):
        return "See to that machine, or ask for another model."
    return "Load it or unload another in exo, or ask for a model that is loaded."


def _few(phrases: Sequence[str]) -> str:
    more = len(phrases) - NAMED
    return "; ".join(phrases[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _span(span_ms: float) -> str:
    if span_ms < 100:
        return f"{span_ms:.0f} ms"
    return f"{span_ms / 1000:.1f} s" if span_ms < 10_000 else duration(round(span_ms / 1000))
