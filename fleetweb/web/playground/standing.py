"""How one request stands, with everything that is shown of it: kept beside its text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import msgspec

from fleetweb.core.presence import CognitiveState, FleetPresence
from fleetweb.core.streams import Outcome, Stream
from fleetweb.gateway.passage import Passage

REASON_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Heard:
    """A machine that works on it, as presence sees it; `heard_at` is None where nobody knows."""

    name: str
    state: CognitiveState
    sentence: str
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at one provider; `error` is None for the one that answered."""

    where: str
    took_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`stream` is how the gateway tells it; seconds count from when it was asked.

    None is what has not happened, or what nobody measured.
    """

    stream: Stream
    outcome: Outcome = Outcome.WAITING
    ended_at: datetime | None = None
    admitted_s: float | None = None
    loaded_s: float | None = None
    first_token_s: float | None = None
    answering_s: float | None = None
    ended_s: float | None = None
    nodes: tuple[str, ...] = ()
    reason: str = ""
    tries: tuple[Try, ...] = ()
    cached: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    tokens_per_s: float | None = None
    finish_reason: str | None = None
    cost_usd: str | None = None
    error: str = ""
    machines: tuple[Heard, ...] = ()


def standing_of(passage: Passage, presence: FleetPresence | None) -> Standing:
    """How `passage` stands now."""
    marks, usage = passage.measures.marks, passage.measures.usage
    nodes = passage.nodes or ((passage.node,) if passage.node else ())
    return Standing(
        stream=replace(passage.stream(), preview=None),
        outcome=passage.outcome,
        ended_at=passage.ended_at,
        admitted_s=marks.admitted,
        loaded_s=marks.loaded,
        first_token_s=marks.first_token,
        answering_s=marks.answering,
        ended_s=marks.ended,
        nodes=nodes,
        reason=passage.route.reason[:REASON_CHARS] if passage.route else "",
        tries=tuple(
            Try(attempt.node or attempt.provider, attempt.took_ms, attempt.error)
            for attempt in passage.attempts
        ),
        cached=passage.cached,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=passage.measures.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
        tokens_per_s=passage.measures.tokens_per_s,
        finish_reason=passage.measures.finish_reason,
        cost_usd=None if passage.cost_usd is None else str(passage.cost_usd),
        error=passage.error,
        machines=tuple(_heard(nodes, presence)) if passage.ended_at is None else (),
    )


def stored(standing: Standing) -> Any:
    """For the database's JSON."""
    return msgspec.to_builtins(standing)


def restored(kept: Mapping[str, Any]) -> Standing | None:
    """What was stored; None where nothing was yet, or an older version wrote it otherwise."""
    try:
        return msgspec.convert(kept, Standing)
    except msgspec.ValidationError:
        return None


def _heard(nodes: Iterable[str], presence: FleetPresence | None) -> Iterable[Heard]:
    for name in nodes:
        node = presence.node(name) if presence else None
        if node is not None:
            yield Heard(name, node.load.state, node.load.sentence, node.last_heard_at)
