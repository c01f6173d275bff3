"""Days that have long been over: what is kept of them is read once in a few minutes.

It changes only if a request of then ends now, is added up anew, or is pruned. Most of a page of a
long time is made of such days.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeVar

from django.utils import timezone

from fleetweb.core.buckets import Step

AFTER_S: Final = 2 * 86_400
READ_AGAIN_S: Final = 300.0
MOST: Final = 8  # questions of which it is remembered: each may have a megabyte or two

Found = TypeVar("Found")


def places(grid: Sequence[int]) -> int:
    """How many of the points, but for the last one, lie in days that have long been over."""
    over_s = int(timezone.now().timestamp()) - AFTER_S
    return max(0, min(bisect_right(grid, over_s) - 1, len(grid) - 2))


def seam_s(grid: Sequence[int], split: int, step: Step) -> int:
    """From where on buckets belong to the points from `split` on, by their middles."""
    return grid[split] - (step.source // 2 if split else 0)


class Memory:
    """What was read of settled days, until it is to be read again."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}
        self._moment = 0

    def of(self, key: Hashable, read: Callable[[], Found]) -> Found:
        """What `read` gives, or gave a few minutes ago under `key`."""
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
