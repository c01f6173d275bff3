"""What befalls invented requests, as the gateway and its providers would have written it down."""

import random
from decimal import Decimal
from typing import Final

from fleetweb.core.streams import Outcome
from fleetweb.core.words import short_model

from .models import RequestMetric

_TITLES: Final = {
    "ollama": "Ollama at http://localhost:11434",
    "gemini": "Gemini",
    "claude": "Claude",
}
# The sentences of `upstream.providers` and `upstream.http`.
_NOT_BEGUN: Final = (
    "{whom} refused the connection; is it running?",
    "{whom} is in trouble of its own (503); try again later.",
    "{whom} answers, but not as it should.",
)
_BROKEN_OFF: Final = (
    "{whom} fell silent in the middle of its answer.",
    "{whom} broke off before its answer was complete.",
    "{whom} sent what is not its format.",
)


def door_of(node: str) -> str:
    """The address that a machine is asked at."""
    return f"http://{node}:52415"


def failure(provider: str, node: str, draw: random.Random, *, has_spoken: bool) -> str:
    """Why nothing more came from a provider, or from exo at the door of `node`."""
    whom = f"exo at {door_of(node)}" if provider == "exo" else _TITLES[provider]
    return draw.choice(_BROKEN_OFF if has_spoken else _NOT_BEGUN).format(whom=whom)


def befall(metric: RequestMetric, draw: random.Random) -> None:
    """What sometimes happens to a request."""
    luck = draw.random()
    if luck < 0.012:
        fail(metric, some_time(metric, draw), draw)
    elif luck < 0.03:
        _end(metric, Outcome.CANCELLED, "The caller went away.", some_time(metric, draw))
    elif luck < 0.033:
        _end(metric, Outcome.INTERRUPTED, "", None)
    elif luck < 0.037:
        _refuse(metric, draw)
    elif luck < 0.06:
        _recall(metric, draw)


def fail(metric: RequestMetric, took_ms: float, draw: random.Random, gone: str = "") -> None:
    """It fails after so long, for a reason; where a machine is `gone`, perhaps for that one."""
    has_spoken = metric.ttft_ms is not None and took_ms >= metric.ttft_ms
    if gone and (gone != metric.node or draw.random() < 0.5):
        error = f"{gone}, which holds a part of {short_model(metric.model)}, is gone."
    else:
        error = failure(metric.provider, metric.node, draw, has_spoken=has_spoken)
    _end(metric, Outcome.FAILED, error, took_ms)


def some_time(metric: RequestMetric, draw: random.Random) -> float:
    """Somewhere between when its turn came and its end."""
    return draw.uniform(metric.waited_ms or 0.0, metric.latency_ms or 0.0)


def _end(metric: RequestMetric, outcome: Outcome, error: str, took_ms: float | None) -> None:
    """It ended before its time; None where nobody knows when. What it used was never reported."""
    spoken = 0.0 if took_ms is None else _share_spoken(metric, took_ms)
    metric.completion_tokens = int((metric.completion_tokens or 0) * spoken) or None
    metric.status, metric.error, metric.finish_reason = outcome.value, error, ""
    metric.tokens_per_s = metric.longest_gap_ms = metric.energy_j = metric.cost_usd = None
    metric.prompt_tokens = metric.reasoning_tokens = None
    if took_ms is None or took_ms < (metric.ttft_ms or 0.0):
        metric.ttft_ms = None
    if took_ms is None or took_ms < (metric.answering_at_ms or 0.0):
        metric.answering_at_ms = None
    metric.latency_ms = None if took_ms is None else round(took_ms, 3)


def _share_spoken(metric: RequestMetric, took_ms: float) -> float:
    """How much of its tokens had come by then."""
    first_ms, last_ms = metric.ttft_ms or 0.0, metric.latency_ms or 0.0
    return min(1.0, max(0.0, (took_ms - first_ms) / max(1.0, last_ms - first_ms)))


def _refuse(metric: RequestMetric, draw: random.Random) -> None:
    """At the door, before anybody had to choose where it goes."""
    wait_s = draw.randrange(1, 60)
    error = (
        f"The key {metric.caller} may use 60 requests a minute, and has. Try again in {wait_s} s."
    )
    _end(metric, Outcome.REFUSED, error, draw.uniform(0.8, 4.0))
    metric.waited_ms = metric.ttft_ms = metric.answering_at_ms = metric.completion_tokens = None
    metric.model = metric.provider = ""
    _from_nowhere(metric)


def _recall(metric: RequestMetric, draw: random.Random) -> None:
    """A kept answer, told once more: in one piece, so that it has no speed; it costs nothing."""
    took_ms = draw.uniform(1.2, 6.0)
    metric.cached, metric.cost_usd, metric.latency_ms = True, Decimal(0), round(took_ms, 3)
    metric.waited_ms = round(took_ms * 0.4, 3)
    metric.ttft_ms = metric.answering_at_ms = round(took_ms * 0.5, 3)
    metric.tokens_per_s = metric.longest_gap_ms = metric.energy_j = None
    _from_nowhere(metric)


def _from_nowhere(metric: RequestMetric) -> None:
    metric.cluster, metric.node, metric.nodes = "", "", []
