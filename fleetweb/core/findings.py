"""What stands out in a time looked back at: who was slow or failed when, and what explains it.

Like is compared with like: a machine with others that answered with the same model at the same
time, and with itself at other times. What is not clear from several requests is not said.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from .presence import NEEDS_OWNER, CognitiveState

# How many times as long it must have taken, and of how many requests on either side.
SLOW: Final = 2.0
FEWEST: Final = 3
# Long prompts and long answers take long anywhere: with nothing seen to explain it, take more.
FEWEST_UNEXPLAINED: Final = 10
# Of the requests of a point, this many must have failed to be spoken of.
FAILING: Final = 0.2
# Macs slow themselves down from about here; the others must be clearly cooler.
HOT_C: Final = 85.0
HOTTER_C: Final = 8.0
# Being away for less is no news by itself.
SHORTEST_S: Final = 30.0
MOST: Final = 3


class Measured(StrEnum):
    TTFT = "ttft"
    LATENCY = "latency"


class Against(StrEnum):
    OTHERS = "others"
    ITSELF = "itself"


@dataclass(frozen=True, slots=True)
class Slot:
    """The requests of one stretch of time; the medians are None where none was answered."""

    begins_s: int
    ends_s: int
    count: int = 0
    errors: int = 0
    ttft_ms: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What one machine answered with one model, over time."""

    machine: str
    model: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Felt:
    """How one machine was in one stretch of time: seconds in each state, and its hottest."""

    begins_s: int
    ends_s: int
    states: Mapping[CognitiveState, float] = field(default_factory=dict)
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A state that needs its owner, and for how long it lasted."""

    state: CognitiveState
    lasted_s: float


@dataclass(frozen=True, slots=True)
class Reasons:
    """What else was seen of the machine then. `hot_c` is None unless it was hot."""

    troubles: tuple[Trouble, ...] = ()
    hot_c: float | None = None
    others_c: float | None = None

    @property
    def are_known(self) -> bool:
        return bool(self.troubles) or self.hot_c is not None


@dataclass(frozen=True, slots=True)
class Slow:
    """`times` is how many times as long the median answer took as `usual_ms`."""

    machine: str
    model: str
    measured: Measured
    against: Against
    begins_s: int
    ends_s: int
    took_ms: float
    usual_ms: float
    requests: int
    reasons: Reasons = Reasons()

    @property
    def times(self) -> float:
        return self.took_ms / self.usual_ms

    @property
    def weight(self) -> tuple[bool, bool, float]:
        """What makes it worth saying first; last of it, how long people waited more than usual.

        The first token says more than the whole answer, which takes its length; and what others
        did at the same time says more than what was at another.
        """
        lost_ms = (self.took_ms - self.usual_ms) * self.requests
        return self.measured is Measured.TTFT, self.against is Against.OTHERS, lost_ms


@dataclass(frozen=True, slots=True)
class Failing:
    """Requests of a machine failed or were interrupted, `errors` of `requests`."""

    machine: str
    begins_s: int
    ends_s: int
    errors: int
    requests: int
    reasons: Reasons = Reasons()


@dataclass(frozen=True, slots=True)
class Away:
    """A machine needed its owner, and no request tells of it."""

    machine: str
    begins_s: int
    ends_s: int
    trouble: Trouble


Finding = Slow | Failing | Away
Value = Callable[[Slot], float | None]
Pair = tuple[Slot, float]


def findings(answers: Sequence[Answers], felt: Mapping[str, Sequence[Felt]]) -> tuple[Finding, ...]:
    """At most three: who was slow for a reason, what failed, who was away, who was slow without.

    They are about the machines in `felt`; what others answered is there to compare with.
    """
    slow = [_explained(found, felt) for found in _slowest(answers) if found.machine in felt]
    failing = [_explained_failure(f, felt) for f in _failing(answers) if f.machine in felt]
    explained: list[Slow | Failing] = [*(s for s in slow if s.reasons.are_known), *failing]
    unexplained = (s for s in slow if not s.reasons.are_known and s.requests >= FEWEST_UNEXPLAINED)
    told = {found.machine for found in explained if found.reasons.troubles}
    away = [found for found in _away(felt) if found.machine not in told]
    return (*explained, *away, *unexplained)[:MOST]


# --- slow ---------------------------------------------------------------------------------------


def _slowest(answers: Sequence[Answers]) -> list[Slow]:
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
    for measured, value in _VALUES.items():
        for run in _runs(_beside_others(own, others, value), value):
            yield _slow(own, run, measured, Against.OTHERS, value)
        for run in _runs(_beside_itself(own, value), value):
            yield _slow(own, run, measured, Against.ITSELF, value)


_VALUES: Final[dict[Measured, Value]] = {
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


# --- failing ------------------------------------------------------------------------------------


def _failing(answers: Sequence[Answers]) -> list[Failing]:
    """For each machine the run in which most failed, most first."""
    worst: dict[str, Failing] = {}
    for machine, slots in _by_machine(answers).items():
        for found in _failing_runs(machine, slots):
            if machine not in worst or found.errors > worst[machine].errors:
                worst[machine] = found
    return sorted(worst.values(), key=lambda found: -found.errors)


def _failing_runs(machine: str, slots: Sequence[Slot]) -> Iterator[Failing]:
    run: list[Slot] = []
    for slot in (*slots, None):
        if slot is not None and slot.count and slot.errors >= FAILING * slot.count:
            run.append(slot)
            continue
        errors = sum(s.errors for s in run)
        if errors >= FEWEST:
            requests = sum(s.count for s in run)
            yield Failing(machine, run[0].begins_s, run[-1].ends_s, errors, requests)
        run = []


def _by_machine(answers: Sequence[Answers]) -> dict[str, list[Slot]]:
    """Every machine's requests of all models together."""
    found: dict[str, list[Slot]] = {}
    for own in answers:
        slots = found.setdefault(own.machine, [Slot(s.begins_s, s.ends_s) for s in own.slots])
        for place, slot in enumerate(own.slots):
            was = slots[place]
            slots[place] = Slot(
                was.begins_s, was.ends_s, was.count + slot.count, was.errors + slot.errors
            )
    return found


# --- why ----------------------------------------------------------------------------------------


def _explained(found: Slow, felt: Mapping[str, Sequence[Felt]]) -> Slow:
    return Slow(
        found.machine,
        found.model,
        found.measured,
        found.against,
        found.begins_s,
        found.ends_s,
        found.took_ms,
        found.usual_ms,
        found.requests,
        _reasons(found.machine, found.begins_s, found.ends_s, felt),
    )


def _explained_failure(found: Failing, felt: Mapping[str, Sequence[Felt]]) -> Failing:
    why = _reasons(found.machine, found.begins_s, found.ends_s, felt)
    return Failing(found.machine, found.begins_s, found.ends_s, found.errors, found.requests, why)


def _reasons(
    machine: str, begins_s: int, ends_s: int, felt: Mapping[str, Sequence[Felt]]
) -> Reasons:
    def during(name: str) -> list[Felt]:
        return [f for f in felt[name] if f.begins_s < ends_s and f.ends_s > begins_s]

    lasted: defaultdict[CognitiveState, float] = defaultdict(float)
    for moment in during(machine):
        for state, seconds in moment.states.items():
            lasted[state] += seconds
    grave = (state for state in CognitiveState if state in NEEDS_OWNER and lasted[state] >= 1)
    troubles = tuple(Trouble(state, lasted[state]) for state in grave)
    own_c = _hottest(during(machine))
    others_c = [c for n in felt if n != machine and (c := _hottest(during(n))) is not None]
    cooler = max(others_c, default=None)
    is_hot = own_c is not None and own_c >= HOT_C and (cooler is None or own_c >= cooler + HOTTER_C)
    return Reasons(troubles, own_c if is_hot else None, cooler if is_hot else None)


def _hottest(moments: Iterable[Felt]) -> float | None:
    return max((f.temperature_c for f in moments if f.temperature_c is not None), default=None)


def _away(felt: Mapping[str, Sequence[Felt]]) -> list[Away]:
    """For each machine the longest time that it needed its owner, longest first."""
    found = []
    for machine, moments in felt.items():
        lasted: dict[CognitiveState, list[tuple[Felt, float]]] = {}
        for moment in moments:
            for state, seconds in moment.states.items():
                if state in NEEDS_OWNER:
                    lasted.setdefault(state, []).append((moment, seconds))
        for state, parts in lasted.items():
            if sum(seconds for _, seconds in parts) < SHORTEST_S:
                continue
            trouble = Trouble(state, sum(seconds for _, seconds in parts))
            found.append(Away(machine, parts[0][0].begins_s, parts[-1][0].ends_s, trouble))
    longest: dict[str, Away] = {}
    for one in sorted(found, key=lambda a: -a.trouble.lasted_s):
        longest.setdefault(one.machine, one)
    return list(longest.values())
