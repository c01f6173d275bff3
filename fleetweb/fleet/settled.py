"""What has long been over: what is kept of it is read once in a while, and not for every page.

It changes only if a request of then ends now, is added up anew, or is pruned. Most of a page of the
past is made of it.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.utils import timezone

from fleetweb.core.buckets import Resolution, Step


@dataclass(frozen=True, slots=True)
class Rest:
    """Points that ended longer than `after_s` ago are read again after `again_s`."""

    after_s: int
    again_s: float


FINE: Final = Rest(after_s=3600, again_s=60.0)  # points made of minutes
COARSE: Final = Rest(after_s=2 * 86_400, again_s=300.0)
MOST: Final = 16  # questions of which it is remembered: each may have a megabyte or two

Found = TypeVar("Found")
# Reads the points that begin at the last argument but for its end, from buckets that begin from
# the first, in seconds since 1970, on and before the second.
Read = Callable[[int, int, Sequence[int]], Found]


def places(grid: Sequence[int], step: Step) -> int:
    """How many of the points, but for the last one, have long been over."""
    over_s = int(timezone.now().timestamp()) - rest_of(step).after_s
    return max(0, min(bisect_right(grid, over_s) - 1, len(grid) - 2))


def rest_of(step: Step) -> Rest:
    return FINE if step.source is Resolution.MINUTE else COARSE


class Memory(Generic[Found]):
    """What was read of what has long been over, until it is to be read again."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Found]] = {}

    def parts(
        self, key: Hashable, grid: Sequence[int], step: Step, read: Read[Found]
    ) -> list[Found]:
        """What `read` gives of all the points, or gave a while ago under `key`.

        In order of time: that of what has long been over, where anything has, and of the rest.
        """
        split = places(grid, step)
        seam_s = _seam_s(grid, split, step)
        rest = read(seam_s, grid[-1], grid[split:])
        if not split:
            return [rest]
        over = grid[: split + 1]
        again_s = rest_of(step).again_s
        return [self._of((key, step, over), again_s, lambda: read(grid[0], seam_s, over)), rest]

    def _of(self, key: Hashable, again_s: float, read: Callable[[], Found]) -> Found:
        now = time.monotonic()
        known = self._kept.get(key)
        if known and now < known[0]:
            return known[1]
        found = read()
        kept = {other: one for other, one in self._kept.items() if now < one[0]}
        if len(kept) >= MOST:
            del kept[min(kept, key=lambda other: kept[other][0])]
        self._kept = {**kept, key: (now + again_s, found)}
        return found

    def forget(self) -> None:
        self._kept = {}


def _seam_s(grid: Sequence[int], split: int, step: Step) -> int:
    """From where on buckets belong to the points from `split` on, by their middles."""
    return grid[split] - (step.source // 2 if split else 0)
