"""A passage as the rows that remember it."""

from typing import Any

import msgspec

from fleetweb.core.balancing import RouteResult, ScoredCandidate

from .measures import milliseconds
from .models import RequestMetric, RequestText, RoutingRecord
from .passage import Passage
from .recorder import Entry

ERROR_CHARS = 300


def entry_of(passage: Passage, process: str, text: RequestText | None = None) -> Entry:
    """Everything that is remembered of `passage` as it stands now."""
    return Entry(_metric(passage, process), _routing(passage), text)


def _metric(passage: Passage, process: str) -> RequestMetric:
    marks, usage, request = passage.measures.marks, passage.measures.usage, passage.request
    loading = None if marks.loaded is None else marks.loaded - (marks.admitted or 0.0)
    return RequestMetric(
        id=passage.id,
        asked_at=passage.asked_at,
        ended_at=passage.ended_at,
        status=passage.outcome.value,
        process=process,
        caller=passage.caller.name,
        key_id=passage.caller.key_id,
        source=passage.caller.source,
        streamed=request.stream,
        cached=passage.cached,
        model_asked=request.model[:200],
        model=passage.model_id[:200],
        provider=passage.provider,
        cluster=passage.cluster or "",
        node=passage.node or "",
        nodes=list(passage.nodes),
        attempts=len(passage.attempts),
        waited_ms=milliseconds(marks.admitted),
        loading_ms=milliseconds(loading),
        ttft_ms=milliseconds(marks.first_token),
        answering_at_ms=milliseconds(marks.answering),
        latency_ms=milliseconds(marks.ended),
        longest_gap_ms=milliseconds(marks.longest_gap),
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=passage.measures.completion_tokens,
        cached_tokens=usage.cached_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        tokens_per_s=passage.measures.tokens_per_s,
        cost_usd=passage.cost_usd,
        finish_reason=passage.measures.finish_reason or "",
        error=passage.error[:ERROR_CHARS],
    )


def _routing(passage: Passage) -> RoutingRecord | None:
    if passage.route is None:
        return None
    return routing_record(
        passage.route, request_id=passage.id, attempts=msgspec.to_builtins(passage.attempts)
    )


def routing_record(route: RouteResult, **more: Any) -> RoutingRecord:
    """A decision as it is kept."""
    return RoutingRecord(
        strategy=route.strategy.value if route.strategy else "",
        decision=route.decision.value,
        reason=route.reason,
        node_endpoint=route.node_endpoint,
        estimated_latency_ms=route.estimated_latency_ms,
        model_loaded=route.model_loaded,
        candidates=[candidate_json(candidate) for candidate in route.candidates],
        **more,
    )


def candidate_json(scored: ScoredCandidate) -> dict[str, Any]:
    """A candidate for the record and for the dry run: who, how it scored, why it was out."""
    candidate = scored.candidate
    return {
        "cluster": candidate.cluster,
        "node": candidate.node,
        "node_endpoint": candidate.door,
        "score": round(scored.score, 4),
        "parts": {name: round(value, 4) for name, value in scored.parts.items()},
        "excluded": scored.excluded,
        "model_loaded": candidate.loaded,
        "holds_shard": candidate.holds_shard,
        "in_hand": candidate.in_hand,
        "waiting": candidate.waiting,
        "estimated_latency_ms": candidate.estimated_ms,
        "samples": candidate.ttft_samples,
    }
