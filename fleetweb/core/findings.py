"""What stands out in a time looked back at: who was slow or failed when, and what explains it.

Like is compared with like: a machine with others that answered with the same model at the same
time, and with itself at other times. What is not clear from several requests is not said.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from .answering import Answers, Away, Failing, Felt, Reasons, Slot, Slow, Trouble
from .presence import NEEDS_OWNER, CognitiveState
from .slowness import FEWEST, slowest

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

Story = TypeVar("Story", Slow, Failing)
Finding = Slow | Failing | Away


def findings(answers: Sequence[Answers], felt: Mapping[str, Sequence[Felt]]) -> tuple[Finding, ...]:
    """At most three: who was slow for a reason, what failed, who was away, who was slow without.

    They are about the machines in `felt`; what others answered is there to compare with.
    """
    slow = [_explained(found, felt) for found in slowest(answers, felt)]
    failing = [_explained(f, felt) for f in _failing([a for a in answers if a.machine in felt])]
    explained: list[Slow | Failing] = [*(s for s in slow if s.reasons.are_known), *failing]
    unexplained = (s for s in slow if not s.reasons.are_known and s.requests >= FEWEST_UNEXPLAINED)
    told = {found.machine for found in explained if found.reasons.troubles}
    away = [found for found in _away(felt) if found.machine not in told]
    return (*explained, *away, *unexplained)[:MOST]


# --- failing ------------------------------------------------------------------------------------


def _failing(answers: Sequence[Answers]) -> list[Failing]:
    """For each machine the run in which most failed, most first."""
    worst: dict[str, Failing] = {}
    for machine, own in _by_machine(answers).items():
        for found in _failing_runs(machine, own):
            if machine not in worst or found.errors > worst[machine].errors:
                worst[machine] = found
    return sorted(worst.values(), key=lambda found: -found.errors)


def _failing_runs(machine: str, own: Sequence[Sequence[Slot]]) -> Iterator[Failing]:
    """Stretches in which many failed, of its requests of all models together."""
    errors = _sums([[slot.errors for slot in slots] for slots in own])
    requests = _sums([[slot.count for slot in slots] for slots in own])
    run: list[int] = []
    for place, (failed, asked) in enumerate(zip([*errors, 0], [*requests, 0], strict=True)):
        if asked and failed >= FAILING * asked:
            run.append(place)
            continue
        errors_of_run = sum(errors[there] for there in run)
        if errors_of_run >= FEWEST:
            ends = own[0][run[0]].begins_s, own[0][run[-1]].ends_s
            yield Failing(machine, *ends, errors_of_run, sum(requests[there] for there in run))
        run = []


def _by_machine(answers: Sequence[Answers]) -> dict[str, list[Sequence[Slot]]]:
    own: defaultdict[str, list[Sequence[Slot]]] = defaultdict(list)
    for one in answers:
        own[one.machine].append(one.slots)
    return own


def _sums(rows: Sequence[Sequence[int]]) -> list[int]:
    """Of each column. Lists and not values of their own: there are thousands of points."""
    return list(map(sum, zip(*rows, strict=True)))


# --- why ----------------------------------------------------------------------------------------


def _explained(found: Story, felt: Mapping[str, Sequence[Felt]]) -> Story:
    why = _reasons(found.machine, found.begins_s, found.ends_s, felt)
    return replace(found, reasons=why)


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
