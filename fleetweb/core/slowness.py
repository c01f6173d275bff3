"""Who was slow when: beside others that answered with the same model, and beside itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import Final

from .answering import Against, Answers, Measured, Slot, Slow

# How many times as long it must have taken, and of how many requests on either side.
SLOW: Final = 2.0
FEWEST: Final = 3

Value = Callable[[Slot], float | None]
Pair = tuple[Slot, float]


def slowest(answers: Sequence[Answers]) -> list[Slow]:
    """For each machine the run in which people lost most time by it, most first."""
    worst: dict[str, Slow] = {}
    for own in answers:
        for found in _slow_runs(own, answers):
            known = worst.get(found.machine)
            if known is None or found.weight > known.weight:
                worst[found.machine] = found
    return sorted(worst.values(), key=lambda found: found.weight, reverse=True)


def _slow_runs(own: Answers, answers: Sequence[Answers]) -> Iterator[Slow]:
    others = [a for a in answers if a.model == own.model and a.machine != own.machine]
    for measured, value in VALUES.items():
        for run in _runs(_beside_others(own, others, value), value):
            yield _slow(own, run, measured, Against.OTHERS, value)
        for run in _runs(_beside_itself(own, value), value):
            yield _slow(own, run, measured, Against.ITSELF, value)


VALUES: Final[dict[Measured, Value]] = {
    Measured.TTFT: lambda slot: slot.ttft_ms,
    Measured.LATENCY: lambda slot: slot.latency_ms,
}


def _beside_others(own: Answers, others: Sequence[Answers], value: Value) -> list[Pair]:
    """Each point with what the others took then; 0 where they answered too little to compare."""
    pairs = []
    for place, slot in enumerate(own.slots):
        if value(slot) is None:
            continue
        same_time = [a.slots[place] for a in others if value(a.slots[place]) is not None]
        is_enough = sum(s.count for s in same_time) >= FEWEST
        pairs.append((slot, _weighted(same_time, value) if is_enough else 0.0))
    return pairs


def _beside_itself(own: Answers, value: Value) -> list[Pair]:
    """Each point with what is usual of this machine: the median of all its points."""
    known = [slot for slot in own.slots if value(slot) is not None]
    if len(known) < 2 * FEWEST:
        return []
    usual = median(value(slot) or 0.0 for slot in known)
    return [(slot, usual) for slot in known]


def _runs(pairs: Sequence[Pair], value: Value) -> Iterator[list[Pair]]:
    """Slow points that follow each other, of enough requests to speak of."""
    run: list[Pair] = []
    for pair in (*pairs, None):
        if pair is not None and (value(pair[0]) or 0.0) >= SLOW * pair[1] > 0:
            run.append(pair)
        else:
            if sum(slot.count for slot, _ in run) >= FEWEST:
                yield run
            run = []


def _slow(
    own: Answers, run: Sequence[Pair], measured: Measured, against: Against, value: Value
) -> Slow:
    slots = [slot for slot, _ in run]
    requests = sum(slot.count for slot in slots)
    usual = sum(usual * slot.count for slot, usual in run) / requests
    return Slow(
        machine=own.machine,
        model=own.model,
        measured=measured,
        against=against,
        begins_s=slots[0].begins_s,
        ends_s=slots[-1].ends_s,
        took_ms=_weighted(slots, value),
        usual_ms=usual,
        requests=requests,
    )


def _weighted(slots: Iterable[Slot], value: Value) -> float:
    """The mean of the points' medians, by how many requests each had."""
    known = [(value(slot) or 0.0, slot.count) for slot in slots]
    return sum(took * count for took, count in known) / sum(count for _, count in known)
