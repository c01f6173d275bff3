"""Looking back at requests: how long they took and how they went, of any machine, provider, model.

Whatever the range and however many requests it had, it takes three queries: whom it is about, what
is added up of them, and what has ended in the last second and is not added up yet. The latter two
once more where what has long been over is not remembered.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import chain
from typing import Any, Final

from django.utils import timezone

from fleetweb.core.buckets import Step, at_of, starts, step_for
from fleetweb.fleet import settled

from .models import RequestMetric
from .points import COLUMNS, PACKED, Kept, Point, as_one, point, together
from .rollup_models import Rollup
from .rollups import count
from .subjects import Subject, Subjects
from .tally import Tally

# What one page may read, whatever it shows: more takes longer than 100 ms.
MOST_ROWS: Final = 3000
# What has just ended; if it is more than this, adding up is behind, and will show it soon.
MOST_UNCOUNTED: Final = 1000
# So many points are merged at once, and kept merged, on the way to all of a time.
PIECE: Final = 16


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
    read = added_up(known, subjects, begins_s, ends_s, step, (*PACKED, *COLUMNS))
    kept = ((subject, bucket_s, Kept.of_row(*row)) for subject, bucket_s, row in read)
    rows = chain(kept, just_ended(subjects, grid, step))
    placed = _placed(subjects, rows, grid, step)
    return {subject: _stretch(step, grid, kept) for subject, kept in placed.items()}


def _stretch(step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> _Stretch:
    points = tuple(
        point(begins_s, kept[place]) if place in kept else Point(at_of(begins_s))
        for place, begins_s in enumerate(grid[:-1])
    )
    return _Stretch(points, _whole(step, grid, kept) if kept else None)


def _whole(step: Step, grid: Sequence[int], kept: Mapping[int, Kept]) -> Kept:
    """By pieces that begin at the same times whenever it is asked: most have been merged."""
    pieces: defaultdict[int, list[Kept]] = defaultdict(list)
    for place in sorted(kept):
        pieces[grid[place] // (PIECE * step.seconds)].append(kept[place])
    return as_one([as_one(parts) for parts in pieces.values()])


def _series(subject: Subject, step: Step, first_s: int, parts: Sequence[_Stretch]) -> Series:
    points = tuple(chain.from_iterable(part.points for part in parts))
    wholes = [part.whole for part in parts if part.whole]
    total = point(first_s, as_one(wholes)) if wholes else Point(at_of(first_s))
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


def added_up(
    known: Subjects,
    subjects: Iterable[Subject],
    begins_s: int,
    ends_s: int,
    step: Step,
    columns: Sequence[str],
) -> Iterator[tuple[Subject, int, list[Any]]]:
    """These columns of the rows that begin from `begins_s` on and before `ends_s`."""
    by_key = {known.keys[subject]: subject for subject in subjects if subject in known.keys}
    rows = (
        Rollup.objects.between(begins_s, ends_s)
        .filter(subject__in=list(by_key), resolution=step.source)
        .values_list("subject", "start_s", *columns)
    )
    for key, bucket_s, *values in rows:
        yield by_key[key], bucket_s, values


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
            yield bucket.subject, bucket.start_s, Kept.of_sums(sums)
