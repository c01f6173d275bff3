"""Looking back at requests: how long they took and how they went, of any machine, provider, model.

Whatever the range and however many requests it had, it takes three queries: whom it is about, what
is added up of them, and what has ended in the last second and is not added up yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.utils import timezone

from fleetweb.core.buckets import Step, at_of, starts, step_for
from fleetweb.core.latency import Histogram, packed_percentiles

from . import settled
from .models import RequestMetric
from .rollup_models import Rollup, RollupSubject
from .rollups import count
from .tally import Subject, Tally

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
_sums = attrgetter(*_COLUMNS)
# So many points are merged at once, and kept merged, on the way to all of a time.
STRETCH: Final = 16

Packed = tuple[bytes, ...]

_settled: Final = settled.Memory()


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
    """Points `step` apart without a gap: where nothing was asked, one says so.

    `total` is all of them as one.
    """

    subject: Subject
    step: Step
    points: tuple[Point, ...]
    total: Point


def latency_series(
    subjects: Sequence[Subject], since: datetime, until: datetime, step: Step | None = None
) -> dict[Subject, Series]:
    """What happened to each of them from `since` to `until`, as at most about 400 points each.

    The first point is the one that `since` lies in. A subject nobody knows has empty points.
    Of days that have long been over it may be what was so a few minutes ago.
    """
    step = step or step_of(since, until, len(subjects))
    grid = starts(since, until, step, timezone.get_default_timezone())
    split = settled.places(grid)
    seam_s = settled.seam_s(grid, split, step)
    rows = chain(
        _added_up(subjects, seam_s, grid[-1], step), not_added_up_yet(subjects, grid[split:], step)
    )
    kept = _placed(subjects, rows, grid, step)
    if split:
        before = _settled.of(
            (*subjects, step, grid[: split + 1]),
            lambda: _placed(subjects, _added_up(subjects, grid[0], seam_s, step), grid, step),
        )
        kept = {subject: before[subject] | now for subject, now in kept.items()}
    return {subject: _series(subject, step, grid, of) for subject, of in kept.items()}


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


class Kept(NamedTuple):
    """What is kept of some stretch of time: sums in the order of `_COLUMNS`, packed histograms."""

    sums: tuple[Any, ...]
    latency: Packed
    ttft: Packed
    gap: Packed


@lru_cache(maxsize=8192)
def _point(begins_s: int, kept: Kept) -> Point:
    """What is past does not change: it is worked out once."""
    (gap_ms,) = _percentiles(kept.gap, 50)
    in_order = (
        *kept.sums,
        *_percentiles(kept.latency, 50, 95, 99),
        *_percentiles(kept.ttft, 50, 95),
        1000 / gap_ms if gap_ms else None,
    )
    return Point(at_of(begins_s), *in_order)


def _percentiles(kept: Packed, *qs: float) -> tuple[float | None, ...]:
    if len(kept) == 1:
        return packed_percentiles(kept[0], *qs)
    return Histogram.merged(map(Histogram.unpack, kept)).percentiles(*qs)


def together(parts: Sequence[Kept]) -> Kept:
    """All of them, which are one at least, as one."""
    if len(parts) == 1:
        return parts[0]
    sums, *packed = zip(*parts, strict=True)
    return Kept(
        tuple(map(_sum, zip(*sums, strict=True))), *(tuple(chain(*kind)) for kind in packed)
    )


def _sum(values: Iterable[Any]) -> Any:
    """None where nothing is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@lru_cache(maxsize=4096)
def merged(kept: Packed) -> bytes:
    """These histograms as one."""
    return Histogram.merged(map(Histogram.unpack, kept)).pack()


def _series(subject: Subject, step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> Series:
    points = tuple(
        _point(begins_s, kept[place]) if place in kept else Point(at_of(begins_s))
        for place, begins_s in enumerate(grid[:-1])
    )
    return Series(subject, step, points, _total(step, grid, kept))


def _total(step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> Point:
    """By stretches that begin at the same times whenever it is asked: most have been merged."""
    stretches: defaultdict[int, list[Kept]] = defaultdict(list)
    for place in sorted(kept):
        stretches[grid[place] // (STRETCH * step.seconds)].append(kept[place])
    if not stretches:
        return Point(at_of(grid[0]))
    parts = []
    for sums, *packed in map(together, stretches.values()):
        parts.append(Kept(sums, *((merged(kind),) for kind in packed)))
    return _point(grid[0], together(parts))


def _placed(
    subjects: Sequence[Subject],
    rows: Iterable[tuple[Subject, int, Kept]],
    grid: Sequence[int],
    step: Step,
) -> dict[Subject, dict[int, Kept]]:
    """What is kept of each point of `grid`, by its place there; nothing where there was nothing."""
    found: dict[Subject, defaultdict[int, list[Kept]]] = {s: defaultdict(list) for s in subjects}
    place_of = cache(partial(step.place, grid=grid))
    for subject, begins_s, kept in rows:
        found[subject][place_of(begins_s)].append(kept)
    return {
        subject: {place: together(parts) for place, parts in of.items()}
        for subject, of in found.items()
    }


def _added_up(
    subjects: Sequence[Subject], begins_s: int, ends_s: int, step: Step
) -> Iterator[tuple[Subject, int, Kept]]:
    by_id = _ids(subjects)
    rows = (
        Rollup.objects.between(begins_s, ends_s)
        .filter(subject__in=list(by_id), resolution=step.source)
        .values_list("subject", "start_s", *_PACKED, *_COLUMNS)
    )
    for subject, bucket_s, latency, ttft, gap, *sums in rows:
        yield (
            by_id[subject],
            bucket_s,
            Kept(tuple(sums), packed(latency), packed(ttft), packed(gap)),
        )


def not_added_up_yet(
    subjects: Iterable[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, Kept]]:
    """What has ended of these, and is in no row of rollups."""
    wanted = set(subjects)
    tally = Tally(timezone.get_default_timezone(), (step.source,))
    ended = RequestMetric.objects.uncounted().since(at_of(grid[0]))
    for metric in ended.filter(asked_at__lt=at_of(grid[-1]))[:MOST_UNCOUNTED]:
        count(tally, metric)
    for bucket, sums in tally.sums.items():
        if bucket.subject in wanted:
            kinds = (sums.latency, sums.ttft, sums.gap)
            yield bucket.subject, bucket.start_s, Kept(_sums(sums), *map(_packs, kinds))


def _ids(subjects: Iterable[Subject]) -> dict[int, Subject]:
    wanted = set(subjects)
    rows = RollupSubject.objects.filter(
        scope__in={s.scope for s in wanted},
        name__in={s.name for s in wanted},
        model__in={s.model for s in wanted},
    )
    found = {row.pk: Subject(row.scope, row.name, row.model) for row in rows}
    return {pk: subject for pk, subject in found.items() if subject in wanted}


def packed(value: bytes | memoryview) -> Packed:
    """A histogram as a row holds it; PostgreSQL hands out views of memory."""
    return (bytes(value),) if value else ()


def _packs(histograms: Iterable[Histogram]) -> Packed:
    return tuple(histogram.pack() for histogram in histograms)
