"""Requests that never were, for a history to develop and measure with."""

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain
from math import log, sin, tau
from typing import Final

from fleetweb.core.chat import Usage
from fleetweb.core.pricing import cost_usd
from fleetweb.core.streams import Outcome
from fleetweb.fleet.absences import Absence

from .misfortune import befall, door_of, fail, failure, some_time
from .models import RequestMetric

SEEDED: Final = "seed"  # the process of every row that was invented
KINDS_OF_EACH: Final = 600
# A machine that is about to go away fails some of what it is asked before.
AILS_FOR_S: Final = 90.0
AILING: Final = 0.3
TRIED_IN_VAIN: Final = 0.7  # of what goes outside: the rest had nowhere to go in the fleet
DRAWN_ANEW: Final = 8


@dataclass(frozen=True, slots=True)
class Model:
    """How a model answers: seconds to the first token, tokens a second, and how often it is asked.

    `machines` is how many of the fleet's hold it together, `thinks` how often it does at first.
    """

    id: str
    provider: str
    first_token_s: float
    tokens_per_s: float
    weight: float
    machines: int = 1
    thinks: float = 0.0


MODELS: Final = (
    Model("mlx-community/Llama-3.2-8B-Instruct-4bit", "exo", 0.25, 72.0, 30.0),
    Model("mlx-community/Qwen2.5-7B-Instruct-4bit", "exo", 0.22, 78.0, 22.0),
    Model("mlx-community/Llama-3.3-70B-Instruct-4bit", "exo", 1.6, 14.0, 20.0, 2),
    Model("mlx-community/Qwen3-235B-A22B-4bit", "exo", 3.5, 19.0, 14.0, 3, 0.7),
    Model("mlx-community/DeepSeek-V3.1-4bit", "exo", 11.0, 12.0, 8.0, 4, 0.5),
    Model("llama3.2:8b", "ollama", 0.6, 38.0, 3.0),
    Model("gemini-2.5-flash", "gemini", 0.7, 120.0, 2.0, 1, 0.6),
    Model("claude-sonnet-4-5", "claude", 1.1, 70.0, 1.0),
)
AT_HOME: Final = [model.id for model in MODELS if model.provider == "exo"]
CALLERS: Final = ("owner", "ada", "grace", "nightly-report", "editor", "phone")


@dataclass(frozen=True, slots=True)
class Tried:
    """A try at a provider, in milliseconds since it was asked; see `measures.Attempt`."""

    provider: str
    model: str
    endpoint: str
    node: str | None
    start_ms: float
    took_ms: float
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Kind:
    """A request without a time: as often as it is drawn, one like it was asked."""

    metric: RequestMetric
    tries: tuple[Tried, ...]

    @cached_property
    def latency(self) -> timedelta:
        return timedelta(milliseconds=self.metric.latency_ms or 0)

    @cached_property
    def machines(self) -> frozenset[str]:
        """Those that were asked, and those that worked."""
        asked = {tried.node for tried in self.tries if tried.node}
        return frozenset(asked.union(self.metric.nodes))


class Inventor:
    """Draws requests to machines, given by the names of their clusters.

    The same seed draws the same.
    """

    def __init__(self, clusters: Mapping[str, Sequence[str]], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._nodes = [name for names in clusters.values() for name in names]
        self._clusters = clusters
        self._kinds = [
            [self._kind(model, slow) for _ in range(KINDS_OF_EACH)]
            for slow in (1.0, 1.7)
            for model in MODELS
        ]
        self._weights = [model.weight for model in MODELS]
        usual = zip(MODELS, self._kinds, strict=False)
        self._moving = {model.id: [k for k in kinds if k.machines] for model, kinds in usual}
        everything = chain.from_iterable(self._kinds)
        self._outside = [kind for kind in everything if kind.tries and not kind.machines]

    @property
    def longest(self) -> timedelta:
        """What the slowest takes."""
        return max(kind.latency for kind in chain.from_iterable(self._kinds))

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

    def lived(self, kind: Kind, at_s: float, absences: Sequence[Absence]) -> Kind:
        """What becomes of `kind` when it is asked at such a time.

        Who is away is not asked; who goes away meanwhile, or is about to, may let it down.
        """
        away = {absence.machine for absence in absences if absence.covers(at_s)}
        if not kind.machines.isdisjoint(away):
            kind = self._elsewhere(kind, away)
        for absence in absences:
            if absence.machine in kind.metric.nodes and at_s < absence.began_s:
                kind = self._let_down(kind, absence.began_s - at_s, absence.machine)
        return kind

    def _elsewhere(self, kind: Kind, away: set[str]) -> Kind:
        """One to the same model at machines that are there; else from outside the fleet."""
        for _ in range(DRAWN_ANEW):
            other = self._random.choice(self._moving[kind.metric.model])
            if other.machines.isdisjoint(away):
                return other
        return self._random.choice(self._outside)

    def _let_down(self, kind: Kind, left_s: float, machine: str) -> Kind:
        """`machine` will be gone in `left_s`."""
        latency_s = kind.latency.total_seconds()
        if kind.metric.status != Outcome.OK or not self._goes_wrong(left_s, latency_s):
            return kind
        metric = copy(kind.metric)
        if left_s < latency_s:
            took_ms, gone = 1000 * (left_s + self._random.uniform(0.2, 4.0)), machine
        else:
            took_ms, gone = some_time(metric, self._random), ""
        fail(metric, took_ms, self._random, gone)
        metric.counted_as = metric.status
        return _kind_of(metric)

    def _goes_wrong(self, left_s: float, latency_s: float) -> bool:
        is_cut = left_s < latency_s
        return is_cut or (left_s < AILS_FOR_S and self._random.random() < AILING)

    def _kind(self, model: Model, slow: float) -> Kind:
        metric = self._asked(model, slow)
        vain = self._place(metric, model)
        befall(metric, self._random)
        metric.counted_as = metric.status
        return _kind_of(metric, vain)

    def _asked(self, model: Model, slow: float) -> RequestMetric:
        draw = self._random
        prompt_tokens = int(draw.lognormvariate(log(600), 1.1)) + 8
        completion_tokens = int(draw.lognormvariate(log(180), 0.9)) + 2
        waited_ms = draw.expovariate(1 / 400) if draw.random() < 0.15 else draw.random()
        first_s = model.first_token_s * slow * (0.6 + prompt_tokens / 1500)
        ttft_ms = waited_ms + 1000 * first_s * draw.lognormvariate(0, 0.25)
        tokens_per_s = model.tokens_per_s / slow * draw.lognormvariate(0, 0.12)
        latency_ms = ttft_ms + 1000 * (completion_tokens - 1) / tokens_per_s
        thought = draw.uniform(0.2, 0.8) if draw.random() < model.thinks else 0.0
        return RequestMetric(
            process=SEEDED,
            caller=draw.choice(CALLERS),
            streamed=draw.random() < 0.8,
            model_asked=model.id,
            model=model.id,
            provider=model.provider,
            waited_ms=round(waited_ms, 3),
            ttft_ms=round(ttft_ms, 3),
            answering_at_ms=round(ttft_ms + thought * (latency_ms - ttft_ms), 3),
            latency_ms=round(latency_ms, 3),
            longest_gap_ms=round(1000 / tokens_per_s * draw.uniform(2, 9), 3),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            reasoning_tokens=int(thought * completion_tokens) or None,
            tokens_per_s=tokens_per_s,
            finish_reason="stop",
            status=Outcome.OK.value,
        )

    def _place(self, metric: RequestMetric, model: Model) -> Tried | None:
        """Where it goes; what was tried in vain before, for some of what leaves the fleet."""
        if model.provider != "exo":
            usage = Usage(metric.prompt_tokens or 0, metric.completion_tokens or 0)
            metric.cost_usd = cost_usd(model.provider, model.id, usage, at=datetime.now(UTC))
            metric.model_asked = self._random.choice(AT_HOME)
            return self._in_vain(metric) if self._random.random() < TRIED_IN_VAIN else None
        cluster = self._random.choices(
            list(self._clusters), [len(names) for names in self._clusters.values()]
        )[0]
        names = self._clusters[cluster]
        group = self._random.randrange(0, len(names), model.machines)
        machines = names[group : group + model.machines]
        metric.cluster, metric.node, metric.nodes = cluster, machines[0], list(machines)
        metric.cost_usd = Decimal(0)
        watts = 180.0 * len(machines)
        metric.energy_j = round(watts * ((metric.latency_ms or 0) - (metric.waited_ms or 0)) / 1000)
        return None

    def _in_vain(self, metric: RequestMetric) -> Tried:
        """A door of the fleet that was tried first. All that comes after it comes later."""
        node = self._random.choice(self._nodes)
        error = failure("exo", node, self._random, has_spoken=False)
        started_ms = metric.waited_ms or 0.0
        took_ms = round(self._random.lognormvariate(log(1500), 0.6), 3)
        for name in ("waited_ms", "ttft_ms", "answering_at_ms", "latency_ms"):
            setattr(metric, name, round(getattr(metric, name) + took_ms, 3))
        return Tried("exo", metric.model_asked, door_of(node), node, started_ms, took_ms, error)


def _kind_of(metric: RequestMetric, vain: Tried | None = None) -> Kind:
    """With its tries. Where nobody was asked, or a process died with it, none are written down."""
    if metric.cached or metric.status in (Outcome.REFUSED, Outcome.INTERRUPTED):
        return Kind(metric, ())
    started_ms = metric.waited_ms or 0.0
    last = Tried(
        metric.provider,
        metric.model,
        door_of(metric.node) if metric.node else metric.provider,
        metric.node or None,
        started_ms,
        max(0.0, round((metric.latency_ms or 0.0) - started_ms, 3)),
        metric.error if metric.status == Outcome.FAILED else None,
    )
    tries = (vain, last) if vain else (last,)
    metric.attempts = len(tries)
    if vain and last.error and metric.ttft_ms is None:
        metric.error = f"{vain.error} {last.error}"
    return Kind(metric, tries)


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
