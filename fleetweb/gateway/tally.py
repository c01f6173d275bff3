"""Adding requests up, in memory: by subject, by bucket of time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Final, NamedTuple, Self

from fleetweb.core.buckets import Resolution, start_s
from fleetweb.core.latency import Histogram
from fleetweb.core.streams import Outcome

from .models import RequestMetric
from .rollup_models import Rollup, RollupSubject

LONGEST_MS: Final = 1e9  # eleven days
ERRORS = frozenset({Outcome.FAILED.value, Outcome.INTERRUPTED.value})


class Subject(NamedTuple):
    """What is added up for; see `RollupSubject`."""

    scope: str
    name: str = ""
    model: str = ""


class Bucket(NamedTuple):
    subject: Subject
    resolution: Resolution
    start_s: int


@dataclass(slots=True)
class Sums:
    """What requests add up to. Adding is the same in any order."""

    count: int = 0
    errors: int = 0
    cancelled: int = 0
    refused: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = None
    energy_j: float | None = None
    latency: list[Histogram] = field(default_factory=list)
    ttft: list[Histogram] = field(default_factory=list)
    gap: list[Histogram] = field(default_factory=list)

    def add(self, other: Self) -> None:
        self.count += other.count
        self.errors += other.errors
        self.cancelled += other.cancelled
        self.refused += other.refused
        self.cached += other.cached
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        if other.cost_usd is not None:
            self.cost_usd = (self.cost_usd or Decimal(0)) + other.cost_usd
        if other.energy_j is not None:
            self.energy_j = (self.energy_j or 0.0) + other.energy_j
        self.latency += other.latency
        self.ttft += other.ttft
        self.gap += other.gap

    def take_off_interrupted(self) -> None:
        """One that was given up for lost has ended after all: it counts as what it was."""
        self.count -= 1
        self.errors -= 1

    def add_to(self, row: Rollup) -> None:
        row.count += self.count
        row.errors += self.errors
        row.cancelled += self.cancelled
        row.refused += self.refused
        row.cached += self.cached
        row.prompt_tokens += self.prompt_tokens
        row.completion_tokens += self.completion_tokens
        if self.cost_usd is not None:
            row.cost_usd = (row.cost_usd or Decimal(0)) + self.cost_usd
        if self.energy_j is not None:
            row.energy_j = (row.energy_j or 0.0) + self.energy_j
        row.latency = _merged(row.latency, self.latency)
        row.ttft = _merged(row.ttft, self.ttft)
        row.gap = _merged(row.gap, self.gap)


class Tally:
    """Sums by subject and bucket, at these resolutions. Days are those of `zone`."""

    def __init__(self, zone: tzinfo, resolutions: Iterable[Resolution] = Resolution) -> None:
        self._zone = zone
        self._resolutions = tuple(resolutions)
        self.sums: dict[Bucket, Sums] = {}

    def add(self, metric: RequestMetric) -> None:
        """Count a request that has ended."""
        worth = sums_of(metric)
        for bucket in self._buckets(metric):
            self.sums_at(bucket).add(worth)

    def take_off_interrupted(self, metric: RequestMetric) -> None:
        for bucket in self._buckets(metric):
            self.sums_at(bucket).take_off_interrupted()

    def sums_at(self, bucket: Bucket) -> Sums:
        """What `bucket` adds up to, to be added to."""
        return self.sums.setdefault(bucket, Sums())

    def _buckets(self, metric: RequestMetric) -> Iterator[Bucket]:
        for resolution in self._resolutions:
            begins_s = start_s(metric.asked_at, resolution, self._zone)
            for subject in subjects_of(metric):
                yield Bucket(subject, resolution, begins_s)


def subjects_of(metric: RequestMetric) -> tuple[Subject, ...]:
    """Whom a request counts for. A node's are those that were asked at its door."""
    subjects = [Subject(RollupSubject.ALL)]
    if metric.provider:
        subjects.append(Subject(RollupSubject.PROVIDER, metric.provider))
    if metric.model:
        subjects.append(Subject(RollupSubject.MODEL, metric.model))
    if metric.node:
        subjects.append(Subject(RollupSubject.NODE, metric.node))
        if metric.model:
            subjects.append(Subject(RollupSubject.NODE, metric.node, metric.model))
    return tuple(subjects)


def sums_of(metric: RequestMetric) -> Sums:
    """What one request, which has ended, is worth."""
    sums = Sums(
        count=1,
        errors=int(metric.status in ERRORS),
        cancelled=int(metric.status == Outcome.CANCELLED),
        refused=int(metric.status == Outcome.REFUSED),
        cached=int(metric.cached),
    )
    if metric.cached:
        return sums
    sums.prompt_tokens = metric.prompt_tokens or 0
    sums.completion_tokens = metric.completion_tokens or 0
    sums.cost_usd, sums.energy_j = metric.cost_usd, metric.energy_j
    if metric.status == Outcome.OK:
        sums.latency = _histograms(metric.latency_ms)
        sums.ttft = _histograms(metric.ttft_ms)
        sums.gap = _histograms(1000 / metric.tokens_per_s if metric.tokens_per_s else None)
    return sums


def sums_in(row: Rollup) -> Sums:
    """What is kept in `row`, to be added to something coarser."""
    return Sums(
        count=row.count,
        errors=row.errors,
        cancelled=row.cancelled,
        refused=row.refused,
        cached=row.cached,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_usd=row.cost_usd,
        energy_j=row.energy_j,
        latency=[Histogram.unpack(bytes(row.latency))],
        ttft=[Histogram.unpack(bytes(row.ttft))],
        gap=[Histogram.unpack(bytes(row.gap))],
    )


def _histograms(value: float | None) -> list[Histogram]:
    """None for what was not measured, and for what no clock can have shown."""
    if value is None or not 0 <= value <= LONGEST_MS:
        return []
    return [Histogram.of((value,))]


def _merged(packed: bytes | memoryview, more: list[Histogram]) -> bytes:
    if not more:
        return bytes(packed)
    return Histogram.merged((Histogram.unpack(bytes(packed)), *more)).pack()
