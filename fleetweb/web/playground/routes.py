"""Where a prompt would go, for each target, with nothing sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetweb.core import words
from fleetweb.core.balancing import RouteResult, ScoredCandidate
from fleetweb.errors import FleetError
from fleetweb.gateway.running import gateway

from .asking import BEST, Target, request_of


@dataclass(frozen=True, slots=True)
class CandidateCard:
    name: str
    said: str
    score: str


@dataclass(frozen=True, slots=True)
class RouteCard:
    """`trouble` says why it could not be sent; then the rest is empty."""

    model: str
    where: str = ""
    reason: str = ""
    expected: str = ""
    trouble: str = ""
    candidates: tuple[CandidateCard, ...] = ()


async def planned(
    name: str, targets: Sequence[Target], bodies: Sequence[Mapping[str, Any]]
) -> tuple[RouteCard, ...]:
    """A card for each target, in their order; `name` is whose request it would be."""
    pairs = zip(targets, bodies, strict=True)
    return tuple(await asyncio.gather(*(_planned(name, target, body) for target, body in pairs)))


async def _planned(name: str, target: Target, body: Mapping[str, Any]) -> RouteCard:
    model = "Best available" if target.model == BEST else words.short_model(target.model)
    try:
        found = await gateway().plan(request_of(body), target.caller(name))
    except FleetError as error:
        return RouteCard(model, trouble=str(error))
    return RouteCard(
        model=model,
        where=found.node or found.reason.partition(": ")[2].partition(" ")[0],
        reason=found.reason.partition(": ")[2] or found.reason,
        expected=_expected(found),
        candidates=tuple(_candidate(scored) for scored in found.candidates),
    )


def _expected(found: RouteResult) -> str:
    if found.estimated_latency_ms is None:
        return "No forecast yet"
    return f"First word after about {words.duration(max(1000, found.estimated_latency_ms) / 1000)}"


def _candidate(scored: ScoredCandidate) -> CandidateCard:
    candidate = scored.candidate
    if scored.excluded:
        return CandidateCard(candidate.node, scored.excluded, "")
    said = "has it loaded" if candidate.loaded else "would load it"
    load = f", {candidate.load} in hand" if candidate.load else ", free"
    return CandidateCard(candidate.node, said + load, f"{scored.score:.2f}")
