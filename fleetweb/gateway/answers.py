"""What every machine answered with every model, for comparing like with like.

There are many pairs of the two, and only their medians are compared: so of each, little is read.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from itertools import chain, pairwise
from typing import Final

from django.utils import timezone

from fleetweb.core.answering import Answers, Slot
from fleetweb.core.buckets import Step, starts
from fleetweb.core.latency import packed_percentiles
from fleetweb.fleet import settled

from .points import merged
from .series import added_up, just_ended
from .subjects import Subject, Subjects

_COLUMNS: Final = ("count", "errors", "ttft", "latency")


# Requests, errors, and the packed histograms of the time to the first token and in all.
_Part = tuple[int, int, bytes, bytes]
Slots = dict[Subject, list[Slot]]

_settled: Final = settled.Memory[Slots]()


def answers(
    pairs: Sequence[Subject],
    since: datetime,
    until: datetime,
    step: Step,
    known: Subjects,
) -> tuple[Answers, ...]:
    """What happened with each of `known.pairs()`, or some of them, from `since` to `until`.

    The last point ends at `until`. Of what has long been over it may be what was so a while ago
    (`fleet.settled`).
    """
    grid = starts(since, until, step, timezone.get_default_timezone())
    read = partial(_slots, known, pairs, step, int(until.timestamp()))
    parts = _settled.parts(tuple(pairs), grid, step, read)
    return tuple(
        Answers(pair.name, pair.model, tuple(chain.from_iterable(part[pair] for part in parts)))
        for pair in pairs
    )


def _slots(
    known: Subjects,
    pairs: Sequence[Subject],
    step: Step,
    until_s: int,
    begins_s: int,
    ends_s: int,
    grid: Sequence[int],
) -> Slots:
    """For each pair what happened at each point."""
    place_of = cache(partial(step.place, grid=grid))
    found: defaultdict[tuple[Subject, int], list[_Part]] = defaultdict(list)
    rows = chain(_added_up(known, pairs, begins_s, ends_s, step), _just_ended(pairs, grid, step))
    for pair, bucket_s, part in rows:
        found[pair, place_of(bucket_s)].append(part)
    blank = [Slot(begin, min(end, until_s)) for begin, end in pairwise(grid)]
    slots = {pair: blank.copy() for pair in pairs}
    for (pair, place), parts in found.items():
        whole = parts[0] if len(parts) == 1 else _together(parts)
        slots[pair][place] = _slot(blank[place].begins_s, blank[place].ends_s, whole)
    return slots


def _added_up(
    known: Subjects, pairs: Sequence[Subject], begins_s: int, ends_s: int, step: Step
) -> Iterator[tuple[Subject, int, _Part]]:
    rows = added_up(known, pairs, begins_s, ends_s, step, _COLUMNS)
    for pair, bucket_s, (requests, errors, ttft, latency) in rows:
        # PostgreSQL hands out views
        yield pair, bucket_s, (requests, errors, bytes(ttft), bytes(latency))


def _just_ended(
    pairs: Sequence[Subject], grid: Sequence[int], step: Step
) -> Iterator[tuple[Subject, int, _Part]]:
    for pair, bucket_s, kept in just_ended(pairs, grid, step):
        requests, errors, *_ = kept.sums
        yield pair, bucket_s, (requests, errors, merged(kept.ttft), merged(kept.latency))


def _together(parts: Sequence[_Part]) -> _Part:
    requests, errors, ttft, latency = zip(*parts, strict=True)
    return sum(requests), sum(errors), merged(ttft), merged(latency)


@lru_cache(maxsize=16_384)
def _slot(begins_s: int, ends_s: int, part: _Part) -> Slot:
    """What is past does not change: it is worked out once."""
    requests, errors, ttft, latency = part
    (ttft_ms,), (latency_ms,) = packed_percentiles(ttft, 50), packed_percentiles(latency, 50)
    return Slot(begins_s, ends_s, requests, errors, ttft_ms, latency_ms)
