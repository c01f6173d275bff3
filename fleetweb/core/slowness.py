"""Who was slow when: beside others that answered with the same model, and beside itself."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median
from typing import Final

from .answering import Against, Answers, Measured, Slot, Slow

# How many times as long it must have taken, and of how many requests on either side.
SLOW: Final = 2.0
FEWEST: Final = 3

Value = Callable[[Slot], float | None]
# How long it took, and how long is usual; 0 where that is not known.
Pair = tuple[float, float]
Run = list[tuple[Slot, Pair]]


def slowest(answers: Sequence[Answers], machines: Collection[str]) -> list[Slow]:
    """For each of `machines` the run in which people lost most time by it, most first."""
    worst: dict[str, Slow] = {}
    together = {
        (model, measured): _together([a for a in answers if a.model == model], value)
        for model in {own.model for own in answers if own.machine in machines}
        for measured, value in VALUES.items()
    }
    for own in (one for one in answers if one.machine in machines):
        for measured, value in VALUES.items():
            for found in _slow_runs(own, measured, value, together[own.model, measured]):
                known = worst.get(found.machine)
                if known is None or found.weight > known.weight:
                    worst[found.machine] = found
    return sorted(worst.values(), key=lambda found: found.weight, reverse=True)


VALUES: Final[dict[Measured, Value]] = {
    Measured.TTFT: attrgetter("ttft_ms"),
    Measured.LATENCY: attrgetter("latency_ms"),
}


@dataclass(frozen=True, slots=True)
class _Together:
    """What all machines took at each point: their medians, each as often as it had requests."""

    took_ms: list[float]
    counts: list[int]

    def usual(self, own: Answers, took_ms: Sequence[float | None]) -> list[float]:
        """The means of the others; 0 where they answered too little to compare, or it nothing."""
        return [
            (total - ms * slot.count) / (count - slot.count)
            if ms is not None and count - slot.count >= FEWEST
            else 0.0
            for slot, ms, total, count in zip(
                own.slots, took_ms, self.took_ms, self.counts, strict=True
            )
        ]


def _together(answers: Sequence[Answers], value: Value) -> _Together:
    took_ms, counts = [0.0] * len(answers[0].slots), [0] * len(answers[0].slots)
    for own in answers:
        for place, (slot, ms) in enumerate(zip(own.slots, map(value, own.slots), strict=True)):
            if ms is not None:
                took_ms[place] += ms * slot.count
                counts[place] += slot.count
    return _Together(took_ms, counts)


def _slow_runs(
    own: Answers, measured: Measured, value: Value, together: _Together
) -> Iterator[Slow]:
    took_ms = [value(slot) for slot in own.slots]
    known = [ms for ms in took_ms if ms is not None]
    for run in _runs(own.slots, took_ms, together.usual(own, took_ms)):
        yield _slow(own, run, measured, Against.OTHERS)
    if len(known) >= 2 * FEWEST:
        usual = median(known)
        # Most machines are never slow beside themselves: that is seen at a glance.
        if max(known) >= SLOW * usual:
            for run in _runs(own.slots, took_ms, [usual] * len(took_ms)):
                yield _slow(own, run, measured, Against.ITSELF)


def _runs(
    slots: Sequence[Slot], took_ms: Sequence[float | None], usual_ms: Sequence[float]
) -> Iterator[Run]:
    """Slow points that follow each other, of enough requests to speak of.

    One that is not known is passed over.
    """
    run: Run = []
    for slot, took, usual in zip(slots, took_ms, usual_ms, strict=True):
        if took is None:
            continue
        if took >= SLOW * usual > 0:
            run.append((slot, (took, usual)))
        elif run:
            yield from _enough(run)
            run = []
    yield from _enough(run)


def _enough(run: Run) -> Iterator[Run]:
    if sum(slot.count for slot, _ in run) >= FEWEST:
        yield run


def _slow(own: Answers, run: Run, measured: Measured, against: Against) -> Slow:
    requests = sum(slot.count for slot, _ in run)
    return Slow(
        machine=own.machine,
        model=own.model,
        measured=measured,
        against=against,
        begins_s=run[0][0].begins_s,
        ends_s=run[-1][0].ends_s,
        took_ms=sum(took * slot.count for slot, (took, _) in run) / requests,
        usual_ms=sum(usual * slot.count for slot, (_, usual) in run) / requests,
        requests=requests,
    )
