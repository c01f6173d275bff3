"""Time cut into equal pieces, for what is looked back at: minutes, hours, and the owner's days.

Minutes and hours are UTC's. A day is the owner's, from midnight to midnight on their wall, so it
has 23 or 25 hours where the clock is changed. Times are whole seconds since 1970 (`_s`): they sort,
and the same bucket has the same number in every process and database.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import IntEnum
from typing import Final

MAX_POINTS: Final = 400


class Resolution(IntEnum):
    """How long a bucket that is kept lasts, in seconds; a day is that long most of the time."""

    MINUTE = 60
    HOUR = 3600
    DAY = 86_400


@dataclass(frozen=True, slots=True)
class Step:
    """How far the points of a series lie apart, and which buckets they are made of."""

    seconds: int
    source: Resolution

    def place(self, begins_s: int, grid: Sequence[int]) -> int:
        """Which of the points that begin at `grid` a bucket belongs to: that of its middle.

        Days that were kept in another time zone than today's begin beside the midnights of this.
        """
        return min(bisect_right(grid, begins_s + self.source // 2), len(grid) - 1) - 1


# From fine to coarse.
STEPS: Final = (
    Step(60, Resolution.MINUTE),
    Step(300, Resolution.MINUTE),
    Step(3600, Resolution.HOUR),
    Step(86_400, Resolution.DAY),
)


def start_s(at: datetime, resolution: Resolution, zone: tzinfo) -> int:
    """When the bucket that `at` lies in begins."""
    if resolution is Resolution.DAY:
        return _midnight_s(at.astimezone(zone), zone)
    whole = int(at.timestamp() // 1)
    return whole - whole % resolution


def step_for(since: datetime, until: datetime, *, most_rows: int, series: int = 1) -> Step:
    """The finest step with at most 400 points a series and `most_rows` buckets to read in all."""
    seconds = (until - since).total_seconds()
    for step in STEPS:
        rows = seconds / step.source * series
        if seconds <= step.seconds * MAX_POINTS and rows <= most_rows:
            return step
    return STEPS[-1]


def starts(since: datetime, until: datetime, step: Step, zone: tzinfo) -> tuple[int, ...]:
    """Where the points from `since` to `until` begin, and where the last one ends.

    The first is the one that `since` lies in.
    """
    if step.source is Resolution.DAY:
        return tuple(_midnights_s(since, until, zone))
    first = int(since.timestamp() // step.seconds) * step.seconds
    last = max(first + step.seconds, -int(-until.timestamp() // step.seconds) * step.seconds)
    return tuple(range(first, last + 1, step.seconds))


def at_of(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _midnights_s(since: datetime, until: datetime, zone: tzinfo) -> Iterator[int]:
    day, last = since.astimezone(zone), max(until, since + timedelta(microseconds=1))
    while True:
        begins_s = _midnight_s(day, zone)
        yield begins_s
        if begins_s >= last.timestamp():
            return
        # On the wall: midnight to midnight, however many hours that are.
        day = day.replace(tzinfo=None) + timedelta(days=1)


def _midnight_s(day: datetime, zone: tzinfo) -> int:
    """The first moment of the day; where the clock jumps over midnight, the moment it jumps."""
    return int(datetime.combine(day.date(), time.min, zone).timestamp())
