"""What every process says of the requests that pass through it, for the one who watches."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from fleetweb.core.streams import Answered, Stream

# A process that has requests in hand says so at least every two seconds.
FORGOTTEN_AFTER_S: Final = 6.0
ANSWERED_SHOWN: Final = 12


class Traffic:
    """The streams of all processes, and what was answered last. `changed` is called on news."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._streams: dict[str, tuple[tuple[Stream, ...], float]] = {}
        self._answered: tuple[Answered, ...] = ()

    def told(self, process: str, streams: Any, answered: Any) -> None:
        """What one process has in hand now, and what it has finished since it spoke last."""
        here = msgspec.convert(streams, tuple[Stream, ...])
        fresh = msgspec.convert(answered, tuple[Answered, ...])
        self._streams[process] = here, time.monotonic()
        both = sorted((*fresh, *self._answered), key=lambda one: one.ended_at, reverse=True)
        self._answered = tuple(both[:ANSWERED_SHOWN])
        self._changed()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Those of processes that spoke lately: one that was killed has none in hand any more."""
        since = time.monotonic() - FORGOTTEN_AFTER_S
        self._streams = {p: told for p, told in self._streams.items() if told[1] >= since}
        return tuple(stream for streams, _ in self._streams.values() for stream in streams)

    @property
    def answered(self) -> tuple[Answered, ...]:
        return self._answered
