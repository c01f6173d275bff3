"""What the gateway has done since this process began, for Prometheus.

The histograms have the names of OpenTelemetry's conventions for generative AI, as Prometheus writes
them. Labels are what answered, never what was asked for: callers can't make up new series.
"""

from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from fleetweb.core.forecast import Estimate
from fleetweb.core.streams import Outcome
from fleetweb.gateway.passage import Passage

OPERATION: Final = "chat"
LABELS: Final = ("provider", "model", "operation")
# A frontier model may read for minutes before its first word.
SECONDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(163.84, 327.68, 655.36),
)
TOKENS: Final = tuple(float(4**power) for power in range(11))

_registry = CollectorRegistry()
_duration = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "From the request to the end of its answer.",
    LABELS,
    buckets=SECONDS,
    registry=_registry,
)
_first_chunk = Histogram(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "From the request to the first token of its answer.",
    LABELS,
    buckets=SECONDS,
    registry=_registry,
)
_usage = Histogram(
    "gen_ai_client_token_usage",
    "Tokens of a request: input is the prompt, output the answer.",
    (*LABELS, "token_type"),
    buckets=TOKENS,
    registry=_registry,
)
_requests = Counter(
    "fleetweb_requests",
    "Requests that are over, by how they ended.",
    ("status", "provider"),
    registry=_registry,
)
_fallbacks = Counter(
    "fleetweb_fallbacks",
    "Requests that a provider outside the fleet was asked to answer.",
    ("provider",),
    registry=_registry,
)
_retries = Counter(
    "fleetweb_attempts_failed",
    "Tries at a door or a provider that came to nothing.",
    ("provider",),
    registry=_registry,
)
_forecasts = Counter(
    "fleetweb_forecasts",
    "What was expected when a request was sent, by whether it came within p50, within p90 or"
    " beyond. Calibrated, nine in ten are not beyond.",
    ("model", "until", "came"),
    registry=_registry,
)
_hits = Counter("fleetweb_cache_hits", "Requests answered from memory.", registry=_registry)


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(_registry)


def count(passage: Passage, **_signal: Any) -> None:
    """A request is over."""
    _requests.labels(passage.outcome.value, passage.provider).inc()
    for attempt in passage.attempts:
        if attempt.error is not None:
            _retries.labels(attempt.provider).inc()
    if passage.cached:
        _hits.inc()
        return
    if passage.provider not in ("", "exo"):
        _fallbacks.labels(passage.provider).inc()
    _measure(passage)
    promised, marks = passage.measures.promised, passage.measures.marks
    if passage.outcome is Outcome.OK and promised is not None:
        _judge(passage, "first_token", promised.first_token, marks.first_token)
        _judge(passage, "end", promised.end, marks.ended)


def _judge(passage: Passage, until: str, said: Estimate | None, came_s: float | None) -> None:
    if said is not None and came_s is not None:
        late = "within_p90" if came_s <= said.p90_s else "beyond"
        came = "within_p50" if came_s <= said.p50_s else late
        _forecasts.labels(passage.model_id, until, came).inc()


def _measure(passage: Passage) -> None:
    """What was not measured is not counted as 0."""
    labels = (passage.provider, passage.model_id, OPERATION)
    marks, usage = passage.measures.marks, passage.measures.usage
    if marks.ended is not None:
        _duration.labels(*labels).observe(marks.ended)
    if marks.first_token is not None:
        _first_chunk.labels(*labels).observe(marks.first_token)
    if usage is not None:
        _usage.labels(*labels, "input").observe(usage.prompt_tokens)
        _usage.labels(*labels, "output").observe(usage.completion_tokens)
