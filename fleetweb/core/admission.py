"""Who may go to a cluster now, who waits, and who is asked to come back: the first hold."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self, TypeAlias

from .latency import PeakEwma

IN_HAND = 64
WAITING = 256
RETRY_AFTER_UNKNOWN_S = 10  # while nobody has finished yet, there is nothing to reckon from
RETRY_AFTER_MIN_S = 1
RETRY_AFTER_MAX_S = 300


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may be sent now."""


@dataclass(frozen=True, slots=True)
class Queued:
    """It waits at `position` (1 is next); `expected_wait_s` is None until something finished."""

    position: int
    expected_wait_s: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The queue is full; `retry_after_s` is when it should have emptied, in whole seconds."""

    retry_after_s: int


Place: TypeAlias = Admitted | Queued | Refused


@dataclass(frozen=True, slots=True)
class Admission:
    """The requests of one cluster: those in hand, and those behind them, first come first served.

    Requests are named by their ids. `service_s` is how long one took from being sent to its end.
    """

    in_hand: frozenset[str] = frozenset()
    waiting: tuple[str, ...] = ()
    service_s: PeakEwma = field(default_factory=PeakEwma)
    max_in_hand: int = IN_HAND
    max_waiting: int = WAITING

    def ask(self, request: str) -> tuple[Self, Place]:
        """Let `request` in, line it up, or refuse it. Asking again changes nothing."""
        place = self.place(request)
        if place is not None:
            return self, place
        if len(self.in_hand) < self.max_in_hand and not self.waiting:
            return replace(self, in_hand=self.in_hand | {request}), Admitted()
        if len(self.waiting) >= self.max_waiting:
            return self, Refused(self.retry_after_s())
        position = len(self.waiting) + 1
        lined_up = replace(self, waiting=(*self.waiting, request))
        return lined_up, Queued(position, self.expected_wait_s(position))

    def finish(self, request: str, now: datetime, service_s: float | None = None) -> Self:
        """`request` is over, or its caller went away while it waited.

        Those whose turn has come move up: what is in `in_hand` now and was not before may be sent.
        `service_s` is None where it tells nothing of how long others take (cut off, never sent).
        """
        observed = self.service_s
        if service_s is not None and request in self.in_hand:
            observed = observed.observe(service_s, now)
        waiting = tuple(other for other in self.waiting if other != request)
        left = replace(self, in_hand=self.in_hand - {request}, waiting=waiting, service_s=observed)
        return left._moved_up()

    def _moved_up(self) -> Self:
        room = max(0, self.max_in_hand - len(self.in_hand))
        if not room or not self.waiting:
            return self
        in_hand = self.in_hand.union(self.waiting[:room])
        return replace(self, in_hand=in_hand, waiting=self.waiting[room:])

    def place(self, request: str) -> Place | None:
        """Where `request` stands; None where it is not known here."""
        if request in self.in_hand:
            return Admitted()
        if request not in self.waiting:
            return None
        position = self.waiting.index(request) + 1
        return Queued(position, self.expected_wait_s(position))

    def expected_wait_s(self, position: int) -> float | None:
        """How long the one at `position` should wait; None until something has finished.

        With all places taken, one of them comes free every `service / places` seconds.
        """
        if not self.service_s.samples:
            return None
        return self.service_s.typical * position / max(1, self.max_in_hand)

    def retry_after_s(self) -> int:
        """When those who wait now should be through, as a caller's `Retry-After`."""
        expected = self.expected_wait_s(max(1, len(self.waiting)))
        if expected is None:
            return RETRY_AFTER_UNKNOWN_S
        return min(max(RETRY_AFTER_MIN_S, math.ceil(expected)), RETRY_AFTER_MAX_S)
