"""What every machine answered with every model, for comparing like with like.

There are many pairs of the two, and only their medians are compared: so of each, little is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from operator import add
from typing import Final, NamedTuple

from django.utils import timezone

from fleetweb.core.answering import Answers, Slot
from fleetweb.core.buckets import Step, starts

from .rollup_models import Rollup, RollupSubject
from .series import Packed, Subject, not_added_up_yet, packed, percentiles_of

_COLUMNS: Final = ("subject", "start_s", "count", "errors", "ttft", "latency")


class _Part(NamedTuple):
    requests: int
    errors: int
    ttft: Packed
    latency: Packed

    def plus(self, other: "_Part | None") -> "_Part":
        return _Part(*map(add, self, other)) if other else self


def pairs(model: str = "") -> dict[int, Subject]:
    """Every machine with every model it ever answered with, or with `model`, by their keys."""
    rows = RollupSubject.objects.filter(scope=RollupSubject.NODE).exclude(model="")
    if model:
        rows = rows.filter(model=model)
    return {row.pk: Subject(row.scope, row.name, row.model) for row in rows}


def answers(
    subjects: Mapping[int, Subject], since: datetime, until: datetime, step: Step
) -> tuple[Answers, ...]:
    """What happened with each of `pairs` from `since` to `until`: two queries."""
    grid = starts(since, until, step, timezone.get_default_timezone())
    found: dict[Subject, dict[int, _Part]] = {subject: {} for subject in subjects.values()}
    place_of = cache(partial(step.place, grid=grid))
    for subject, begins_s, part in _parts(subjects, grid, step):
        kept, place = found[subject], place_of(begins_s)
        kept[place] = part.plus(kept.get(place))
    ends = [*grid[1:-1], int(until.timestamp())]
    stretches = list(zip(grid, ends, strict=False))
    return tuple(
        Answers(subject.name, subject.model, tuple(_slots(stretches, parts)))
        for subject, parts in found.items()
    )


def _parts(
    subjects: Mapping[int, Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, _Part]]:
    rows = Rollup.objects.between(grid[0], grid[-1]).filter(
        subject__in=list(subjects), resolution=step.source
    )
    for key, begins_s, requests, errors, ttft, latency in rows.values_list(*_COLUMNS):
        yield subjects[key], begins_s, _Part(requests, errors, packed(ttft), packed(latency))
    for subject, begins_s, kept in not_added_up_yet(subjects.values(), grid, step):
        requests, errors, *_ = kept.sums
        yield subject, begins_s, _Part(requests, errors, kept.ttft, kept.latency)


def _slots(stretches: Sequence[tuple[int, int]], parts: Mapping[int, _Part]) -> Iterator[Slot]:
    nothing = _Part(0, 0, (), ())
    for place, (begins_s, ends_s) in enumerate(stretches):
        requests, errors, ttft, latency = parts.get(place, nothing)
        yield Slot(begins_s, ends_s, requests, errors, *_medians(ttft, latency))


@lru_cache(maxsize=16_384)
def _medians(ttft: Packed, latency: Packed) -> tuple[float | None, float | None]:
    """What is past does not change: it is worked out once."""
    (ttft_ms,), (latency_ms,) = percentiles_of(ttft, (50,)), percentiles_of(latency, (50,))
    return ttft_ms, latency_ms
