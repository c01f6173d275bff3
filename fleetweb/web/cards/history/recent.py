"""What was worked out a moment ago, for everybody who asks the same again.

A page that is open asks for its right edge every 5 or 30 s, and a fleet has several people: what
took tens of milliseconds to find is not found anew for each of them.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Final, TypeVar

from .window import Window

# How long it is told again: less than half of what an open page waits before it asks.
SOON_S, LATER_S = 2.0, 12.0
CLOSE: Final = timedelta(hours=25)  # up to here points may lie five minutes apart, or one
MOST: Final = 16  # a page of a long time has a third of a megabyte

Found = TypeVar("Found", str, bytes)

_finding: dict[Hashable, threading.Lock] = {}
_keeping = threading.Lock()
_kept: OrderedDict[Hashable, tuple[float, str | bytes]] = OrderedDict()


def recent(key: Hashable, window: Window, find: Callable[[], Found]) -> Found:
    """What `find` finds, or found under `key` a moment ago; longer ago where points lie far apart.

    What is kept under a key is of one type: text, or bytes. Values made of thousands of others
    would be looked through by the collector again and again.
    """
    told = _told(key)
    if told is None:
        # Many who ask the same at once wait for one to find it.
        with _finding.setdefault(key, threading.Lock()):
            told = _told(key) or _keep(key, window, find)
    return told  # type: ignore[return-value]  # the key says which it is


def _told(key: Hashable) -> str | bytes | None:
    until, found = _kept.get(key, (0.0, None))
    return found if time.monotonic() < until else None


def _keep(key: Hashable, window: Window, find: Callable[[], Found]) -> Found:
    keep_s = SOON_S if window.until - window.since <= CLOSE else LATER_S
    try:
        found = find()
        with _keeping:
            _kept.pop(key, None)
            _kept[key] = (time.monotonic() + keep_s, found)
            while len(_kept) > MOST:
                _kept.popitem(last=False)
    finally:
        _finding.pop(key, None)  # once it is kept: who comes now must not find it anew
    return found


def forget() -> None:
    """Have everything found anew."""
    _kept.clear()
