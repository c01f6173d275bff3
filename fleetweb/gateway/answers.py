"""What every machine answered with every model, for comparing like with like.

There are many pairs of the two, and only their medians are compared: so of each, little is read.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Final

from django.utils import timezone

from fleetweb.core.answering import Answers, Slot
from fleetweb.core.buckets import Step, starts
from fleetweb.core.latency import packed_percentiles

from .rollup_models import Rollup, RollupSubject
from .series import Subject, merged, not_added_up_yet

_COLUMNS: Final = ("subject", "start_s", "count", "errors", "ttft", "latency")


# Requests, errors, and the packed histograms of the time to the first token and in all.
_Part = tuple[int, int, bytes, bytes]


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
    place_of = cache(partial(step.place, grid=grid))
    found: dict[Subject, defaultdict[int, list[_Part]]]
    found = {subject: defaultdict(list) for subject in subjects.values()}
    for subject, begins_s, part in _parts(subjects, grid, step):
        found[subject][place_of(begins_s)].append(part)
    stretches = list(zip(grid, [*grid[1:-1], int(until.timestamp())], strict=False))
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
        yield subjects[key], begins_s, (requests, errors, bytes(ttft), bytes(latency))
    for subject, begins_s, kept in not_added_up_yet(subjects.values(), grid, step):
        requests, errors, *_ = kept.sums
        yield subject, begins_s, (requests, errors, merged(kept.ttft), merged(kept.latency))


def _slots(
    stretches: Sequence[tuple[int, int]], parts: Mapping[int, list[_Part]]
) -> Iterator[Slot]:
    for place, (begins_s, ends_s) in enumerate(stretches):
        if place in parts:
            yield _slot(begins_s, ends_s, _together(parts[place]))
        else:
            yield Slot(begins_s, ends_s)


def _together(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    requests, errors, ttft, latency = zip(*parts, strict=True)
    return sum(requests), sum(errors), merged(ttft), merged(latency)


@lru_cache(maxsize=16_384)
def _slot(begins_s: int, ends_s: int, part: _Part) -> Slot:
    """What is past does not change: it is worked out once."""
    requests, errors, ttft, latency = part
    (ttft_ms,), (latency_ms,) = packed_percentiles(ttft, 50), packed_percentiles(latency, 50)
    return Slot(begins_s, ends_s, requests, errors, ttft_ms, latency_ms)
