"""What every machine answered with every model, for comparing like with like.

There are many pairs of the two, and only their medians are compared: so of each, little is read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any, Final

from django.utils import timezone

from fleetweb.core.answering import Answers, Slot
from fleetweb.core.buckets import Step, starts
from fleetweb.core.latency import packed_percentiles

from . import settled
from .rollup_models import Rollup, RollupSubject
from .series import Subject, merged, not_added_up_yet

_COLUMNS: Final = ("subject", "start_s", "count", "errors", "ttft", "latency")


# Requests, errors, and the packed histograms of the time to the first token and in all.
_Part = tuple[int, int, bytes, bytes]
Slots = dict[int, list[Slot]]

_settled: Final = settled.Memory()


def pairs(model: str = "") -> dict[int, Subject]:
    """Every machine with every model it ever answered with, or with `model`, by their keys."""
    rows = RollupSubject.objects.filter(scope=RollupSubject.NODE).exclude(model="")
    if model:
        rows = rows.filter(model=model)
    return {row.pk: Subject(row.scope, row.name, row.model) for row in rows}


def answers(
    subjects: Mapping[int, Subject], since: datetime, until: datetime, step: Step
) -> tuple[Answers, ...]:
    """What happened with each of `pairs` from `since` to `until`: two queries.

    Of days that have long been over it may be what was so a few minutes ago.
    """
    grid = starts(since, until, step, timezone.get_default_timezone())
    ends = (*grid[1:-1], int(until.timestamp()))
    split = settled.places(grid)
    seam_s = settled.seam_s(grid, split, step)
    rows = chain(
        _added_up(subjects, seam_s, grid[-1], step), _not_added_up_yet(subjects, grid[split:], step)
    )
    told = _slots(subjects, rows, grid[split:], ends[split:], step)
    if split:
        before = _settled.of(
            (*subjects, step, grid[: split + 1]),
            lambda: _before(subjects, grid[: split + 1], seam_s, step),
        )
        told = {key: [*before[key], *slots] for key, slots in told.items()}
    return tuple(Answers(s.name, s.model, tuple(told[key])) for key, s in subjects.items())


def _before(subjects: Iterable[int], grid: Sequence[int], ends_s: int, step: Step) -> Slots:
    rows = _added_up(subjects, grid[0], ends_s, step)
    return _slots(subjects, rows, grid, grid[1:], step)


def _slots(
    subjects: Iterable[int],
    rows: Iterable[tuple[Any, ...]],
    grid: Sequence[int],
    ends: Sequence[int],
    step: Step,
) -> Slots:
    """For each key what happened at each point."""
    place_of = cache(partial(step.place, grid=grid))
    found: defaultdict[tuple[int, int], list[_Part]] = defaultdict(list)
    for key, begins_s, requests, errors, ttft, latency in rows:
        part = (requests, errors, bytes(ttft), bytes(latency))  # PostgreSQL hands out views
        found[key, place_of(begins_s)].append(part)
    blank = [Slot(*times) for times in zip(grid, ends, strict=False)]
    slots = {key: blank.copy() for key in subjects}
    for (key, place), parts in found.items():
        part = parts[0] if len(parts) == 1 else _together(parts)
        slots[key][place] = _slot(blank[place].begins_s, blank[place].ends_s, part)
    return slots


def _added_up(
    subjects: Iterable[int], begins_s: int, ends_s: int, step: Step
) -> Iterable[tuple[Any, ...]]:
    return (
        Rollup.objects.between(begins_s, ends_s)
        .filter(subject__in=list(subjects), resolution=step.source)
        .values_list(*_COLUMNS)
    )


def _not_added_up_yet(
    subjects: Mapping[int, Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Any, ...]]:
    keys = {subject: key for key, subject in subjects.items()}
    for subject, begins_s, kept in not_added_up_yet(keys, grid, step):
        requests, errors, *_ = kept.sums
        yield keys[subject], begins_s, requests, errors, merged(kept.ttft), merged(kept.latency)


def _together(parts: Sequence[_Part]) -> _Part:
    requests, errors, ttft, latency = zip(*parts, strict=True)
    return sum(requests), sum(errors), merged(ttft), merged(latency)


@lru_cache(maxsize=16_384)
def _slot(begins_s: int, ends_s: int, part: _Part) -> Slot:
    """What is past does not change: it is worked out once."""
    requests, errors, ttft, latency = part
    (ttft_ms,), (latency_ms,) = packed_percentiles(ttft, 50), packed_percentiles(latency, 50)
    return Slot(begins_s, ends_s, requests, errors, ttft_ms, latency_ms)
