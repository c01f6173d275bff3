"""Those that a request could have gone to, and what counted for each, as people feel it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fleetweb.core.strategies.weighing import MODEL_STEPS
from fleetweb.gateway.models import RoutingRecord
from fleetweb.upstream.http import shown

from ..cards.figures import number, plural
from .comparing import Comparison, expectation, is_chosen

_PARTS: Mapping[str, str] = {
    "model": "model not there",
    "latency": "time to first token",
    "load": "requests in hand",
    "memory": "memory",
    "gpu": "GPU in use",
    "door": "its door",
}


@dataclass(frozen=True, slots=True)
class PartCard:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class CandidateCard:
    """One that it could have gone to. `excluded` says why it could not; "" where it could.

    `counts` says in words what the score weighs, `score` and `parts` in its own unit. `expected`
    is to the first token, `of_what` what is in it. `beside` holds it against what it took.
    """

    node: str
    cluster: str
    endpoint: str
    chosen: bool
    counts: tuple[str, ...]
    score: str
    parts: tuple[PartCard, ...]
    measured: str
    excluded: str
    expected: str
    of_what: str
    beside: str


def candidate_card(
    stored: Mapping[str, Any], routing: RoutingRecord, compared: Comparison
) -> CandidateCard:
    excluded, chosen = stored["excluded"], is_chosen(stored, routing)
    expected, of_what = expectation(stored)
    return CandidateCard(
        node=stored["node"],
        cluster=stored["cluster"],
        endpoint=shown(stored["node_endpoint"]),
        chosen=chosen,
        counts=tuple(_counts(stored)),
        score=number(stored["score"]),
        parts=tuple(
            PartCard(_PARTS.get(name, name), number(value))
            for name, value in _by_weight(stored["parts"])
            if value
        ),
        measured=_measured(stored["samples"]),
        excluded=f"{excluded}." if excluded else "",
        expected=expected,
        of_what=of_what,
        beside="" if chosen or excluded else compared.beside(stored),
    )


def _by_weight(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """The weightiest first: PostgreSQL keeps them in an order of its own."""
    return sorted(parts.items(), key=lambda part: -abs(part[1]))


def _counts(stored: Mapping[str, Any]) -> Iterator[str]:
    """The weightiest first."""
    yield _model(stored)
    if stored["in_hand"]:
        yield f"{plural(stored['in_hand'], 'request')} in hand"
    if stored["waiting"]:
        yield f"{stored['waiting']:,} waiting before it"
    if not stored["in_hand"] and not stored["waiting"]:
        yield "nothing before it"
    if stored["holds_shard"]:
        yield "holds a part of the model"


def _model(stored: Mapping[str, Any]) -> str:
    if stored["model_loaded"]:
        return "the model is loaded"
    if stored["parts"].get("model") == MODEL_STEPS:
        return "the model is being loaded"
    return "the model is not there yet"


def _measured(samples: int) -> str:
    return f"{plural(samples, 'answer')} measured" if samples else "never measured"
