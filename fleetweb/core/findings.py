"""What stands out in a time looked back at: who was slow or failed when, and what explains it.

Like is compared with like: a machine with others that answered with the same model at the same
time, and with itself at other times. What is not clear from several requests is not said.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
# The share of a slow time that trouble must have lasted to explain it.
TELLING: Final = 0.02
SOON_S: Final = 300
# Of the longest of several troubles at one time, this much is as long.
ALIKE: Final = 0.9
# Being away for less is no news by itself.
SHORTEST_S: Final = 30.0
MOST: Final = 3
# Gravest first.
_GRAVE: Final = tuple(state for state in CognitiveState if state in NEEDS_OWNER)

Story = TypeVar("Story", Slow, Failing)
Finding = Slow | Failing | Away


def findings(
    answers: Sequence[Answers],
    felt: Mapping[str, Sequence[Felt]],
    about: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """At most three: what the machines explain, who was away, what nothing explains.

    They are about the machines in `felt`, or those in `about`, of which less may be known; what
    others answered is there to compare with.
    """
    told_of = felt if about is None else about
    slow = [_explained(found, felt) for found in slowest(answers, told_of)]
    failing = [_explained(f, felt) for f in _failing([a for a in answers if a.machine in told_of])]
    stories: list[Slow | Failing] = [*slow, *failing]
    explained = sorted((s for s in stories if s.reasons.are_known), key=_gravity)
    known = {story.machine for story in explained if story.reasons.troubles}
    away = _at_once([found for found in _away(felt) if found.machine not in known])
    failed = (story for story in failing if not story.reasons.are_known)
    unexplained = (s for s in slow if not s.reasons.are_known and s.requests >= FEWEST_UNEXPLAINED)
    return (*explained, *away, *failed, *unexplained)[:MOST]


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
    if found.machine not in felt:
        return replace(found, reasons=Reasons(are_looked_for=False))
    return replace(found, reasons=_reasons(found, felt))


def _reasons(found: Story, felt: Mapping[str, Sequence[Felt]]) -> Reasons:
    during = {name: list(_during(found, moments)) for name, moments in felt.items()}
    # A moment of trouble can fail requests, but makes none of many slow.
    least_s = 1.0
    if isinstance(found, Slow):
        least_s = max(least_s, TELLING * (found.ends_s - found.begins_s))
    own = during.pop(found.machine)
    troubles = _troubles(own, least_s)
    own_c = _hottest(own)
    others_c = [c for moments in during.values() if (c := _hottest(moments)) is not None]
    cooler = max(others_c, default=None)
    is_hot = own_c is not None and own_c >= HOT_C and (cooler is None or own_c >= cooler + HOTTER_C)
    elsewhere = [(name, t) for name, seen in during.items() for t in _troubles(seen, least_s)]
    if troubles or is_hot:
        gravest = _GRAVE.index(troubles[0].state) if troubles else 0
        elsewhere = [one for one in elsewhere if _GRAVE.index(one[1].state) < gravest]
    worst = max(elsewhere, key=lambda one: one[1].lasted_s, default=None)
    return Reasons(troubles, own_c if is_hot else None, cooler if is_hot else None, worst)


def _gravity(story: Slow | Failing) -> int:
    """0 for the gravest; heat alone is less than any trouble."""
    troubles = story.reasons.troubles
    return _GRAVE.index(troubles[0].state) if troubles else len(_GRAVE)


def _during(found: Story, moments: Sequence[Felt]) -> Iterator[Felt]:
    """And soon after: a request is counted where it was asked, and may fail minutes later."""
    for moment in moments:
        is_short = moment.ends_s - moment.begins_s <= SOON_S
        until_s = found.ends_s + (SOON_S if is_short and isinstance(found, Failing) else 0)
        if moment.begins_s < until_s and moment.ends_s > found.begins_s:
            yield moment


def _troubles(moments: Iterable[Felt], least_s: float) -> tuple[Trouble, ...]:
    """What needed its owner for so long, gravest first."""
    lasted: defaultdict[CognitiveState, float] = defaultdict(float)
    for moment in moments:
        for state, seconds in moment.states.items():
            lasted[state] += seconds
    return tuple(Trouble(state, lasted[state]) for state in _GRAVE if lasted[state] >= least_s)


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


def _at_once(found: Sequence[Away]) -> list[Away]:
    """Where several had the same trouble at the same time, that is one story."""
    together: dict[tuple[CognitiveState, int, int], list[Away]] = {}
    for one in found:
        together.setdefault((one.trouble.state, one.begins_s, one.ends_s), []).append(one)
    told = []
    for longest, *others in together.values():
        alike = [o for o in others if o.trouble.lasted_s >= ALIKE * longest.trouble.lasted_s]
        told.append(replace(longest, beside=tuple(sorted(o.machine for o in alike))))
        told += [other for other in others if other not in alike]
    return sorted(told, key=lambda one: -one.trouble.lasted_s)
