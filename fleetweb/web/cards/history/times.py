"""Points in time as the history writes them: on the owner's wall, true when the clock changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from fleetweb.core.buckets import Resolution, Step, at_of

from .book import Book

# A page writes the same times for every machine.
MOST_WRITTEN: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """Writes times in the owner's zone, with the zone's letters where an hour comes twice.

    That is only where the clock `is_changed` at all, which few pages need to look for. Those that
    `book_wall` gives are the same where they write the same.
    """

    zone: ZoneInfo
    step: Step
    has_days: bool
    is_changed: bool

    @lru_cache(maxsize=MOST_WRITTEN)  # noqa: B019  there are few walls
    def slot(self, begins_s: int) -> str:
        """A point of the grid: its day where points are days, else its begin."""
        at = at_of(begins_s).astimezone(self.zone)
        if self.step.source is Resolution.DAY:
            return f"{at:%a %Y-%m-%d}"
        day = f"{at:%a %m-%d} " if self.has_days else ""
        return f"{day}{at:%H:%M}{self._letters(at)}"

    @lru_cache(maxsize=MOST_WRITTEN)  # noqa: B019  there are few walls
    def span(self, begins_s: float, ends_s: float) -> str:
        """`14:00 to 15:00`; with the date where it is not one day's."""
        begin, end = (at_of(int(s)).astimezone(self.zone) for s in (begins_s, ends_s))
        if self.step.source is Resolution.DAY:
            return self._days(begin, end)
        day = f"{begin:%a %m-%d} " if self.has_days else ""
        last = f"{end:%a %m-%d} " if self.has_days and end.date() != begin.date() else ""
        letters = self._letters(begin), self._letters(end)
        return f"{day}{begin:%H:%M}{letters[0]} to {last}{end:%H:%M}{letters[1]}"

    def clock(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        day = f"{local:%a %m-%d} " if self.has_days else ""
        return f"{day}{local:%H:%M:%S}{self._letters(local)}"

    def _days(self, begin: datetime, end: datetime) -> str:
        last = end - timedelta(seconds=1)
        if last.date() <= begin.date():
            return f"{begin:%a %Y-%m-%d}"
        return f"{begin:%a %Y-%m-%d} to {last:%a %Y-%m-%d}"

    def _letters(self, at: datetime) -> str:
        """The zone's name at that moment, where the same time on the wall comes twice."""
        if not self.is_changed:
            return ""
        twice = at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
        return f" {at.tzname()}" if twice else ""


def book_wall(book: Book, now: datetime) -> Wall:
    """How the times of `book` are written, on the wall that `now` is read from."""
    zone = now.tzinfo if isinstance(now.tzinfo, ZoneInfo) else ZoneInfo("UTC")
    first, last = (at_of(s).astimezone(zone) for s in (book.grid[0], book.grid[-1] - 1))
    has_days = first.date() != last.date()
    return _wall(zone, book.step, has_days, _is_changed(zone, book.grid))


_wall: Final = lru_cache(maxsize=64)(Wall)


def _is_changed(zone: ZoneInfo, grid: Sequence[int]) -> bool:
    """Whether the clock is changed from a day before the first point to a day after the last."""
    moments = (grid[0] - Resolution.DAY, *grid, grid[-1] + Resolution.DAY)
    return len({at_of(second).astimezone(zone).utcoffset() for second in moments}) > 1


def step_words(grid: tuple[int, ...], step: Step) -> str:
    """How far apart the points lie: `1 minute`, `5 minutes`, `1 hour`, `1 day`."""
    if step.source is Resolution.DAY:
        return "1 day"
    shortest = min(end - begin for begin, end in pairwise(grid))
    minutes = shortest // 60
    if minutes % 60 == 0:
        return f"{minutes // 60} hour" if minutes == 60 else f"{minutes // 60} hours"
    return f"{minutes} minute" if minutes == 1 else f"{minutes} minutes"
