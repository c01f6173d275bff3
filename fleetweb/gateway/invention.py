"""Requests that never were, for a history to develop and measure with."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log, sin, tau
from typing import Final

from fleetweb.core.chat import Usage
from fleetweb.core.pricing import cost_usd
from fleetweb.core.streams import Outcome

from .models import RequestMetric

SEEDED: Final = "seed"  # the process of every row that was invented
KINDS_OF_EACH: Final = 600
A_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Model:
    """How a model answers: seconds to the first token, tokens a second, and how often it is asked.

    `machines` is how many of the fleet's hold it together.
    """

    id: str
    provider: str
    first_token_s: float
    tokens_per_s: float
    weight: float
    machines: int = 1


MODELS: Final = (
    Model("mlx-community/Llama-3.2-8B-Instruct-4bit", "exo", 0.25, 72.0, 30.0),
    Model("mlx-community/Qwen2.5-7B-Instruct-4bit", "exo", 0.22, 78.0, 22.0),
    Model("mlx-community/Llama-3.3-70B-Instruct-4bit", "exo", 1.6, 14.0, 20.0, 2),
    Model("mlx-community/Qwen3-235B-A22B-4bit", "exo", 3.5, 19.0, 14.0, 3),
    Model("mlx-community/DeepSeek-V3.1-4bit", "exo", 11.0, 12.0, 8.0, 4),
    Model("llama3.2:8b", "ollama", 0.6, 38.0, 3.0),
    Model("gemini-2.5-flash", "gemini", 0.7, 120.0, 2.0),
    Model("claude-sonnet-4-5", "claude", 1.1, 70.0, 1.0),
)
CALLERS: Final = ("owner", "ada", "grace", "nightly-report", "editor", "phone")


@dataclass(frozen=True, slots=True)
class Kind:
    """A request without a time: as often as it is drawn, one like it was asked."""

    metric: RequestMetric
    latency: timedelta


class Inventor:
    """Draws requests to the machines called `nodes`; the same seed draws the same."""

    def __init__(self, nodes: Sequence[str], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._nodes = nodes
        self._kinds = [
            [self._kind(model, slow) for _ in range(KINDS_OF_EACH)]
            for slow in (1.0, 1.7)
            for model in MODELS
        ]
        self._weights = [model.weight for model in MODELS]

    def hour(self, counts: Sequence[int]) -> Iterator[tuple[int, list[Kind]]]:
        """For each minute of an hour, its kinds: `counts` says how many.

        Now and then everything takes longer for an hour.
        """
        slow = len(MODELS) if self._random.random() < 0.03 else 0
        for minute, count in enumerate(counts):
            drawn = self._random.choices(range(len(MODELS)), self._weights, k=count)
            yield minute, [self._random.choice(self._kinds[slow + index]) for index in drawn]

    def seconds(self, count: int) -> list[float]:
        """When in a minute so many requests came, in order."""
        return sorted(self._random.random() * 60 for _ in range(count))

    def suffix(self) -> str:
        """The end of a request's id."""
        return f"{self._random.getrandbits(32):08x}"

    def _kind(self, model: Model, slow: float) -> Kind:
        draw = self._random
        prompt_tokens = int(draw.lognormvariate(log(600), 1.1)) + 8
        completion_tokens = int(draw.lognormvariate(log(180), 0.9)) + 2
        waited_ms = draw.expovariate(1 / 400) if draw.random() < 0.15 else draw.random()
        first_s = model.first_token_s * slow * (0.6 + prompt_tokens / 1500)
        ttft_ms = waited_ms + 1000 * first_s * draw.lognormvariate(0, 0.25)
        tokens_per_s = model.tokens_per_s / slow * draw.lognormvariate(0, 0.12)
        latency_ms = ttft_ms + 1000 * (completion_tokens - 1) / tokens_per_s
        metric = RequestMetric(
            process=SEEDED,
            caller=draw.choice(CALLERS),
            streamed=draw.random() < 0.8,
            model_asked=model.id,
            model=model.id,
            provider=model.provider,
            waited_ms=round(waited_ms, 3),
            ttft_ms=round(ttft_ms, 3),
            latency_ms=round(latency_ms, 3),
            longest_gap_ms=round(1000 / tokens_per_s * draw.uniform(2, 9), 3),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            tokens_per_s=tokens_per_s,
            finish_reason="stop",
            status=Outcome.OK.value,
            attempts=1,
        )
        self._place(metric, model)
        self._befall(metric)
        metric.counted_as = metric.status
        return Kind(metric, timedelta(milliseconds=metric.latency_ms or 0))

    def _place(self, metric: RequestMetric, model: Model) -> None:
        if model.provider != "exo":
            usage = Usage(metric.prompt_tokens or 0, metric.completion_tokens or 0)
            metric.cost_usd = cost_usd(model.provider, model.id, usage, at=datetime.now(UTC))
            metric.attempts = 2
            return
        group = self._random.randrange(0, len(self._nodes), model.machines)
        machines = self._nodes[group : group + model.machines]
        metric.cluster, metric.node, metric.nodes = "fleet", machines[0], list(machines)
        metric.cost_usd = Decimal(0)
        watts = 180.0 * len(machines)
        metric.energy_j = round(watts * ((metric.latency_ms or 0) - (metric.waited_ms or 0)) / 1000)

    def _befall(self, metric: RequestMetric) -> None:
        """What sometimes happens to a request."""
        luck = self._random.random()
        if luck < 0.012:
            _end(metric, Outcome.FAILED, "soldier2 stopped answering.", self._random.random())
        elif luck < 0.03:
            _end(metric, Outcome.CANCELLED, "The caller went away.", self._random.random())
        elif luck < 0.033:
            _end(metric, Outcome.INTERRUPTED, "", None)
        elif luck < 0.037:
            _end(metric, Outcome.REFUSED, "The key may use 60 requests a minute, and has.", 0.0)
        elif luck < 0.06:
            metric.cached, metric.latency_ms, metric.ttft_ms = True, 2.4, 1.1
            metric.node, metric.nodes, metric.cluster = "", [], ""


def _end(metric: RequestMetric, outcome: Outcome, error: str, share: float | None) -> None:
    """It ended before its time, after `share` of it; None where nobody knows when."""
    metric.status, metric.error, metric.finish_reason = outcome.value, error, ""
    metric.tokens_per_s = metric.longest_gap_ms = metric.energy_j = None
    if share is None or not share:
        metric.ttft_ms = metric.completion_tokens = metric.prompt_tokens = None
    took_ms = (metric.latency_ms or 0.0) * (share or 0.0)
    if metric.ttft_ms and took_ms < metric.ttft_ms:
        metric.ttft_ms = metric.completion_tokens = None
    metric.latency_ms = None if share is None else round(took_ms, 3)


def spread(requests: int, since: datetime, minutes: int) -> Iterator[int]:
    """How many requests each minute has, `requests` in all: more by day, fewer at weekends."""
    busy = [_busy(since + timedelta(minutes=minute)) for minute in range(minutes)]
    share = requests / sum(busy)
    so_far, given = 0.0, 0
    for weight in busy:
        so_far += weight * share
        due = round(so_far) - given
        given += due
        yield due


def _busy(at: datetime) -> float:
    by_hour = 1 + 0.8 * sin(tau * (at.hour * 60 + at.minute - 540) / 1440)
    return by_hour * (0.6 if at.weekday() >= 5 else 1.0)
