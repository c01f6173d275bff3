"""Looking back at requests: how long they took and how they went, of any machine, provider, model.

Whatever the range and however many requests it had, it takes three queries: whom it is about, what
is added up of them, and what has ended in the last second and is not added up yet. The latter two
once more where what has long been over is not remembered.
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
from fleetweb.fleet import settled

from .models import RequestMetric
from .rollup_models import Rollup
from .rollups import count
from .subjects import Subject, Subjects
from .tally import Tally

__all__ = ["Point", "Series", "Subject", "latency_series", "step_of"]

# What one page may read, whatever it shows: more takes longer than 100 ms.
MOST_ROWS: Final = 3000
# What has just ended; if it is more than this, adding up is behind, and will show it soon.
MOST_UNCOUNTED: Final = 1000
# The last two are None where nothing is known.
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
PIECE: Final = 16

Packed = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """The requests that were asked in one stretch of time from `at` on.

    Percentiles are of those that were answered, and not from the cache, to a thousandth; None where
    there are none. `tokens_per_s` is the median's. `cost_usd` and `energy_j` are None where nothing
    is known.
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
    subjects: Sequence[Subject],
    since: datetime,
    until: datetime,
    step: Step | None = None,
    known: Subjects | None = None,
) -> dict[Subject, Series]:
    """What happened to each of them from `since` to `until`, as at most about 400 points each.

    The first point is the one that `since` lies in. A subject nobody knows has empty points. Of
    what has long been over it may be what was so a while ago (`fleet.settled`). `known` is who is
    known at all, where that was read already.
    """
    known = known or Subjects.read()
    step = step or step_of(since, until, len(subjects))
    grid = starts(since, until, step, timezone.get_default_timezone())
    read = partial(_stretches, known, subjects, step)
    parts = _settled.parts(tuple(subjects), grid, step, read)
    return {
        subject: _series(subject, step, grid[0], [part[subject] for part in parts])
        for subject in subjects
    }


def step_of(since: datetime, until: datetime, series: int = 1) -> Step:
    """How far apart the points of so many series lie if they are to be read at once."""
    return step_for(since, until, most_rows=MOST_ROWS, series=max(1, series))


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
    figures = (
        *_percentiles(kept.latency, 50, 95, 99),
        *_percentiles(kept.ttft, 50, 95),
        1000 / gap_ms if gap_ms else None,
    )
    return Point(at_of(begins_s), *kept.sums, *(f if f is None else round(f, 3) for f in figures))


def _percentiles(kept: Packed, *qs: float) -> tuple[float | None, ...]:
    if len(kept) == 1:
        return packed_percentiles(kept[0], *qs)
    return Histogram.merged(map(Histogram.unpack, kept)).percentiles(*qs)


def together(parts: Sequence[Kept]) -> Kept:
    """All of them, which are one at least, as one."""
    if len(parts) == 1:
        return parts[0]
    sums, *packed = zip(*parts, strict=True)
    *counts, cost, energy = zip(*sums, strict=True)
    return Kept(
        (*map(sum, counts), _sum(cost), _sum(energy)), *(tuple(chain(*kind)) for kind in packed)
    )


def _sum(values: Iterable[Any]) -> Any:
    """None where nothing is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@lru_cache(maxsize=4096)
def merged(kept: Packed) -> bytes:
    """These histograms as one."""
    return Histogram.merged(map(Histogram.unpack, kept)).pack()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Points of a subject, and what is kept of them all as one; None where there is nothing."""

    points: tuple[Point, ...]
    whole: Kept | None


_settled: Final = settled.Memory[dict[Subject, _Stretch]]()


def _stretches(
    known: Subjects,
    subjects: Sequence[Subject],
    step: Step,
    begins_s: int,
    ends_s: int,
    grid: Sequence[int],
) -> dict[Subject, _Stretch]:
    # One after the other: what is added up in between would be told twice the other way round.
    rows = chain(
        _added_up(known, subjects, begins_s, ends_s, step), just_ended(subjects, grid, step)
    )
    placed = _placed(subjects, rows, grid, step)
    return {subject: _stretch(step, grid, kept) for subject, kept in placed.items()}


def _stretch(step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> _Stretch:
    points = tuple(
        _point(begins_s, kept[place]) if place in kept else Point(at_of(begins_s))
        for place, begins_s in enumerate(grid[:-1])
    )
    return _Stretch(points, _whole(step, grid, kept) if kept else None)


def _whole(step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> Kept:
    """By pieces that begin at the same times whenever it is asked: most have been merged."""
    pieces: defaultdict[int, list[Kept]] = defaultdict(list)
    for place in sorted(kept):
        pieces[grid[place] // (PIECE * step.seconds)].append(kept[place])
    return _as_one([_as_one(parts) for parts in pieces.values()])


def _as_one(parts: Sequence[Kept]) -> Kept:
    sums, *packed = together(parts)
    return Kept(sums, *((merged(kind),) for kind in packed))


def _series(subject: Subject, step: Step, first_s: int, parts: Sequence[_Stretch]) -> Series:
    points = tuple(chain.from_iterable(part.points for part in parts))
    wholes = [part.whole for part in parts if part.whole]
    total = _point(first_s, _as_one(wholes)) if wholes else Point(at_of(first_s))
    return Series(subject, step, points, total)


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
    known: Subjects, subjects: Iterable[Subject], begins_s: int, ends_s: int, step: Step
) -> Iterator[tuple[Subject, int, Kept]]:
    by_key = {known.keys[subject]: subject for subject in subjects if subject in known.keys}
    rows = (
        Rollup.objects.between(begins_s, ends_s)
        .filter(subject__in=list(by_key), resolution=step.source)
        .values_list("subject", "start_s", *_PACKED, *_COLUMNS)
    )
    for key, bucket_s, latency, ttft, gap, *sums in rows:
        yield by_key[key], bucket_s, Kept(tuple(sums), packed(latency), packed(ttft), packed(gap))


def just_ended(
    subjects: Iterable[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, Kept]]:
    """What is in no row of rollups yet of these, from the first of `grid` to the last."""
    wanted = set(subjects)
    tally = Tally(timezone.get_default_timezone(), (step.source,))
    ended = RequestMetric.objects.uncounted().since(at_of(grid[0]))
    for metric in ended.filter(asked_at__lt=at_of(grid[-1]))[:MOST_UNCOUNTED]:
        count(tally, metric)
    for bucket, sums in tally.sums.items():
        if bucket.subject in wanted:
            kinds = (sums.latency, sums.ttft, sums.gap)
            yield bucket.subject, bucket.start_s, Kept(_sums(sums), *map(_packs, kinds))


def packed(value: bytes | memoryview) -> Packed:
    """A histogram as a row holds it; PostgreSQL hands out views of memory."""
    return (bytes(value),) if value else ()


def _packs(histograms: Iterable[Histogram]) -> Packed:
    return tuple(histogram.pack() for histogram in histograms)
