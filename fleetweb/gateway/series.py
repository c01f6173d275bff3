"""Looking back at requests: how long they took and how they went, of any machine, provider, model.

Whatever the range and however many requests it had, it takes three queries: whom it is about, what
is added up of them, and what has ended in the last second and is not added up yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from django.utils import timezone

from fleetweb.core.buckets import Step, at_of, starts, step_for
from fleetweb.core.latency import Histogram

from .models import RequestMetric
from .rollup_models import Rollup, RollupSubject
from .rollups import count
from .tally import Subject, Sums, Tally

__all__ = [
    "Point",
    "Series",
    "Subject",
    "full_model",
    "known",
    "knows",
    "latency_series",
    "step_of",
]

# What one page may read, whatever it shows: more takes longer than 100 ms.
MOST_ROWS: Final = 3000
# What has just ended; if it is more than this, adding up is behind, and will show it soon.
MOST_UNCOUNTED: Final = 1000
_COLUMNS: Final = (
    "count",
    "errors",
    "cancelled",
    "refused",
    "cached",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "energy_j",
)
_PACKED: Final = ("latency", "ttft", "gap")

Packed = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """The requests that were asked in one stretch of time from `at` on.

    Percentiles are of those that were answered, and not from the cache; None where there are none.
    `tokens_per_s` is the median's. `cost_usd` and `energy_j` are None where nothing is known.
    """

    at: datetime
    count: int = 0
    errors: int = 0
    cancelled: int = 0
    refused: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = None
    energy_j: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points `step` apart without a gap: where nothing was asked, one says so."""

    subject: Subject
    step: Step
    points: tuple[Point, ...]
    _kept: "_Kept"

    @property
    def total(self) -> Point:
        """All of them as one; merged when it is asked for, because few ask for it."""
        return self._kept.point(int(self.points[0].at.timestamp()))


def latency_series(
    subjects: Sequence[Subject], since: datetime, until: datetime, step: Step | None = None
) -> dict[Subject, Series]:
    """What happened to each of them from `since` to `until`, as at most about 400 points each.

    The first point is the one that `since` lies in. A subject nobody knows has empty points.
    """
    step = step or step_of(since, until, len(subjects))
    grid = starts(since, until, step, timezone.get_default_timezone())
    sums: defaultdict[Subject, defaultdict[int, _Kept]] = defaultdict(lambda: defaultdict(_Kept))
    for subject, begins_s, kept in _all_kept(subjects, grid, step):
        sums[subject][step.place(begins_s, grid)].add(kept)
    return {subject: _series(subject, step, grid, sums[subject]) for subject in subjects}


def step_of(since: datetime, until: datetime, series: int = 1) -> Step:
    """How far apart the points of so many series lie if they are to be read at once."""
    return step_for(since, until, most_rows=MOST_ROWS, series=max(1, series))


def known(scope: str, *, model: str = "") -> list[str]:
    """The names of all that requests were ever added up for, such as all models."""
    rows = RollupSubject.objects.filter(scope=scope, model=model)
    return list(rows.order_by("name").values_list("name", flat=True))


def knows(scope: str, name: str) -> bool:
    """Whether requests were ever added up for it."""
    return RollupSubject.objects.filter(scope=scope, name=name, model="").exists()


def full_model(written: str) -> str:
    """The id of a model that people write by its last part, in any case; else as it was written."""
    wanted = written.casefold()
    ids = known(RollupSubject.MODEL) if written else []
    names = (m for m in ids if wanted in (m.casefold(), m.rsplit("/")[-1].casefold()))
    return next(names, written)


@dataclass(slots=True)
class _Kept:
    """What is kept of some stretch of time: sums, and packed histograms still to be merged."""

    sums: Sums = field(default_factory=Sums)
    latency: Packed = ()
    ttft: Packed = ()
    gap: Packed = ()

    def add(self, other: "_Kept") -> None:
        self.sums.add(other.sums)
        self.latency += other.latency
        self.ttft += other.ttft
        self.gap += other.gap

    def point(self, begins_s: int) -> Point:
        if not self.sums.count:
            return Point(at_of(begins_s))
        p50_ms, p95_ms, p99_ms = percentiles(self.latency, (50, 95, 99))
        ttft_p50_ms, ttft_p95_ms = percentiles(self.ttft, (50, 95))
        (gap_ms,) = percentiles(self.gap, (50,))
        return Point(
            at=at_of(begins_s),
            **{name: getattr(self.sums, name) for name in _COLUMNS},
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
            ttft_p50_ms=ttft_p50_ms,
            ttft_p95_ms=ttft_p95_ms,
            tokens_per_s=1000 / gap_ms if gap_ms else None,
        )


@lru_cache(maxsize=16_384)
def percentiles(packed: Packed, qs: tuple[float, ...]) -> tuple[float | None, ...]:
    """Of everything in these histograms. What is past does not change: it is worked out once."""
    return Histogram.merged(map(Histogram.unpack, packed)).percentiles(*qs)


def _series(subject: Subject, step: Step, grid: Sequence[int], kept: Mapping[int, _Kept]) -> Series:
    nothing, total = _Kept(), _Kept()
    for part in kept.values():
        total.add(part)
    points = tuple(
        kept.get(place, nothing).point(begins_s) for place, begins_s in enumerate(grid[:-1])
    )
    return Series(subject, step, points, total)


def _all_kept(
    subjects: Sequence[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, _Kept]]:
    yield from _added_up(subjects, grid, step)
    yield from _not_added_up_yet(subjects, grid, step)


def _added_up(
    subjects: Sequence[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, _Kept]]:
    by_id = _ids(subjects)
    rows = (
        Rollup.objects.between(grid[0], grid[-1])
        .filter(subject__in=list(by_id), resolution=step.source)
        .values_list("subject", "start_s", *_PACKED, *_COLUMNS)
    )
    for subject, begins_s, latency, ttft, gap, *sums in rows:
        yield by_id[subject], begins_s, _Kept(Sums(*sums), *map(_packed, (latency, ttft, gap)))


def _not_added_up_yet(
    subjects: Sequence[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, _Kept]]:
    wanted = set(subjects)
    tally = Tally(timezone.get_default_timezone(), (step.source,))
    ended = RequestMetric.objects.uncounted().since(at_of(grid[0]))
    for metric in ended.filter(asked_at__lt=at_of(grid[-1]))[:MOST_UNCOUNTED]:
        count(tally, metric)
    for bucket, sums in tally.sums.items():
        if bucket.subject in wanted:
            kinds = (sums.latency, sums.ttft, sums.gap)
            packed = (tuple(one.pack() for one in kind) for kind in kinds)
            yield bucket.subject, bucket.start_s, _Kept(sums, *packed)


def _ids(subjects: Iterable[Subject]) -> dict[int, Subject]:
    wanted = set(subjects)
    rows = RollupSubject.objects.filter(
        scope__in={s.scope for s in wanted},
        name__in={s.name for s in wanted},
        model__in={s.model for s in wanted},
    )
    found = {row.pk: Subject(row.scope, row.name, row.model) for row in rows}
    return {pk: subject for pk, subject in found.items() if subject in wanted}


def _packed(value: Any) -> Packed:
    """PostgreSQL hands out views of memory."""
    return (bytes(value),) if value else ()
