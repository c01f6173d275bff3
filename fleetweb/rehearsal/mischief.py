"""The faults that are at work now: what the next answers are spoilt with."""

from .clock import Clock
from .faults import Fault, FaultKind
from .voices import Manner

MANNERS = {
    FaultKind.THINKING_CONTRADICTS: Manner.CONTRADICTS,
    FaultKind.THINKING_RECURSES: Manner.RECURSES,
    FaultKind.THINKING_CIRCLES: Manner.CIRCLES,
}
BROKEN_STREAMS = frozenset({FaultKind.EMPTY_ANSWER, FaultKind.STREAM_CUT, FaultKind.STREAM_ENDS})
SPOILT_STATES = frozenset(
    {
        FaultKind.STATE_MALFORMED,
        FaultKind.STATE_TRUNCATED,
        FaultKind.STATE_HUGE,
        FaultKind.STATE_STRANGE,
        FaultKind.STATE_HTML,
        FaultKind.STATE_ERROR,
        FaultKind.STATE_REDIRECTS,
    }
)


class Mischief:
    """Faults that wait for a request, or last for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[Fault, int]] = []  # with how many requests are left
        self._lasting: list[tuple[Fault, float]] = []  # with when they end

    def add(self, fault: Fault) -> None:
        if fault.kind in MANNERS or fault.kind in BROKEN_STREAMS:
            self._waiting.append((fault, fault.count))
        else:
            ends_s = float("inf") if fault.for_s is None else self._clock.elapsed_s + fault.for_s
            self._lasting.append((fault, ends_s))

    def heal(self, kind: FaultKind | None = None) -> None:
        """End what lasts and forget what waits, of one kind or all."""
        self._waiting = [w for w in self._waiting if kind not in (None, w[0].kind)]
        self._lasting = [held for held in self._lasting if kind not in (None, held[0].kind)]

    def manner_for(self, model_id: str) -> Manner:
        fault = self._take(model_id, frozenset(MANNERS))
        return MANNERS[fault.kind] if fault else Manner.PLAIN

    def break_for(self, model_id: str) -> Fault | None:
        """How the answer to this request is to break, if it is."""
        return self._take(model_id, BROKEN_STREAMS)

    def spoilt_state(self, node: str) -> FaultKind | None:
        fault = self._lasts(node, SPOILT_STATES)
        return fault.kind if fault else None

    def delay_s(self, node: str) -> float:
        fault = self._lasts(node, frozenset({FaultKind.SLOW_ANSWERS}))
        return fault.delay_s if fault else 0.0

    def _take(self, model_id: str, kinds: frozenset[FaultKind]) -> Fault | None:
        for place, (fault, left) in enumerate(self._waiting):
            if fault.kind in kinds and fault.model in (None, model_id):
                self._waiting[place : place + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

    def _lasts(self, node: str, kinds: frozenset[FaultKind]) -> Fault | None:
        now_s = self._clock.elapsed_s
        self._lasting = [held for held in self._lasting if held[1] > now_s]
        return next(
            (f for f, _ in self._lasting if f.kind in kinds and f.node in (None, node)), None
        )
