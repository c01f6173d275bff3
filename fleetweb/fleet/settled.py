"""Days that have long been over: what is kept of them is read once in a few minutes.

It changes only if a request of then ends now, is added up anew, or is pruned. Most of a page of a
long time is made of such days.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Generic, TypeVar

from django.utils import timezone

from fleetweb.core.buckets import Step

AFTER_S: Final = 2 * 86_400
READ_AGAIN_S: Final = 300.0
MOST: Final = 8  # questions of which it is remembered: each may have a megabyte or two

Found = TypeVar("Found")
# Reads the points that begin at the last argument but for its end, from buckets that begin from
# the first, in seconds since 1970, on and before the second.
Read = Callable[[int, int, Sequence[int]], Found]


def places(grid: Sequence[int]) -> int:
    """How many of the points, but for the last one, lie in days that have long been over."""
    over_s = int(timezone.now().timestamp()) - AFTER_S
    return max(0, min(bisect_right(grid, over_s) - 1, len(grid) - 2))


class Memory(Generic[Found]):
    """What was read of settled days, until it is to be read again."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}
        self._moment = 0

    def parts(
        self, key: Hashable, grid: Sequence[int], step: Step, read: Read[Found]
    ) -> list[Found]:
        """What `read` gives of all the points, or gave a few minutes ago under `key`.

        In order of time: that of settled days, where there are any, and that of the rest.
        """
        split = places(grid)
        seam_s = _seam_s(grid, split, step)
        rest = read(seam_s, grid[-1], grid[split:])
        if not split:
            return [rest]
        over = grid[: split + 1]
        return [self._of((key, step, over), lambda: read(grid[0], seam_s, over)), rest]

    def _of(self, key: Hashable, read: Callable[[], Found]) -> Found:
        moment = int(time.monotonic() // READ_AGAIN_S)
        if moment != self._moment or len(self._kept) > MOST:
            self._kept, self._moment = {}, moment
        kept = self._kept
        found: Found | None = kept.get(key)
        if found is None:
            found = kept[key] = read()
        return found

    def forget(self) -> None:
        self._kept = {}


def _seam_s(grid: Sequence[int], split: int, step: Step) -> int:
    """From where on buckets belong to the points from `split` on, by their middles."""
    return grid[split] - (step.source // 2 if split else 0)
