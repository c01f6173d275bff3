"""Days that have long been over: what is kept of them is read once in a few minutes.

It changes only if a request of then ends now, is added up anew, or is pruned. Most of a page of a
long time is made of such days.
"""

import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from django.utils import timezone

AFTER_S: Final = 2 * 86_400
READ_AGAIN_S: Final = 300.0


def settled_places(grid: Sequence[int]) -> int:
    """How many of the points, but for the last one, lie in days that have long been over."""
    over_s = int(timezone.now().timestamp()) - AFTER_S
    return max(0, min(bisect_right(grid, over_s) - 1, len(grid) - 2))


def moment() -> int:
    """Changes when what is settled is to be read again."""
    return int(time.monotonic() // READ_AGAIN_S)
