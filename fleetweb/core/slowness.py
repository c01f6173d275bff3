"""Who was slow when: beside others that answered with the same model, and beside itself."""

from collections.abc import Callable, Iterator, Sequence
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


def slowest(answers: Sequence[Answers]) -> list[Slow]:
    """For each machine the run in which people lost most time by it, most first."""
    worst: dict[str, Slow] = {}
    together = {
        (model, measured): _together([a for a in answers if a.model == model], value)
        for model in {own.model for own in answers}
        for measured, value in VALUES.items()
    }
    for own in answers:
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


@dataclass(slots=True)
class _Together:
    """What all machines took at one point: their medians, each as often as it had requests."""

    took_ms: float = 0.0
    count: int = 0

    def without(self, took_ms: float, count: int) -> float:
        """The mean of the others; 0 where they answered too little to compare."""
        others = self.count - count
        return (self.took_ms - took_ms * count) / others if others >= FEWEST else 0.0


def _together(answers: Sequence[Answers], value: Value) -> list[_Together]:
    sums = [_Together() for _ in answers[0].slots]
    for own in answers:
        for so_far, slot in zip(sums, own.slots, strict=True):
            took_ms = value(slot)
            if took_ms is not None:
                so_far.took_ms += took_ms * slot.count
                so_far.count += slot.count
    return sums


def _slow_runs(
    own: Answers, measured: Measured, value: Value, together: Sequence[_Together]
) -> Iterator[Slow]:
    took = zip(own.slots, map(value, own.slots), together, strict=True)
    known = [(slot, ms, all_of) for slot, ms, all_of in took if ms is not None]
    others = [(slot, (ms, all_of.without(ms, slot.count))) for slot, ms, all_of in known]
    for run in _runs(others):
        yield _slow(own, run, measured, Against.OTHERS)
    if len(known) >= 2 * FEWEST:
        usual = median(ms for _, ms, _ in known)
        for run in _runs([(slot, (ms, usual)) for slot, ms, _ in known]):
            yield _slow(own, run, measured, Against.ITSELF)


def _runs(slots: Run) -> Iterator[Run]:
    """Slow points that follow each other, of enough requests to speak of."""
    run: Run = []
    for slot, (took, usual) in slots:
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
