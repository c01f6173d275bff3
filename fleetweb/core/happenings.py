"""What happened to a fleet that no machine's state tells: the marks a history is read by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from . import words
from .presence import Condition, FleetPresence

# A clock that the network corrects moves by less than this.
SET_BACK: Final = timedelta(seconds=2)


class HappeningKind(StrEnum):
    ELECTION = "election"
    RESTARTED = "restarted"
    SYSTEM = "system"
    RENAMED = "renamed"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Happening:
    """`node` is the machine it happened to, None where it is the whole fleet's."""

    at: datetime
    kind: HappeningKind
    words: str
    node: str | None = None


def between(before: FleetPresence, after: FleetPresence) -> tuple[Happening, ...]:
    """What happened to the fleet from one look at it to the next."""
    return (*_clock(before, after), *_elections(before, after), *_renamed(before, after))


def restarted(name: str, at: datetime) -> Happening:
    """exo has a new id on a machine. Source: exo 0.3.70, ids are new at every start."""
    said = f"exo was started anew on {name}."
    return Happening(at, HappeningKind.RESTARTED, said, name)


def system_changed(name: str, before: str, after: str, at: datetime) -> Happening:
    """A machine runs another version of its operating system than it did."""
    said = f"{name} went from system version {before} to {after}."
    return Happening(at, HappeningKind.SYSTEM, said, name)


def _clock(before: FleetPresence, after: FleetPresence) -> Iterator[Happening]:
    if before.at - after.at > SET_BACK:
        back = words.duration((before.at - after.at).total_seconds())
        yield Happening(after.at, HappeningKind.CLOCK, f"The clock was set back by {back}.")


def _elections(before: FleetPresence, after: FleetPresence) -> Iterator[Happening]:
    earlier = {cluster.name: cluster.condition for cluster in before.clusters}
    for cluster in after.clusters:
        is_new = earlier.get(cluster.name) is not Condition.REELECTED
        if cluster.condition is Condition.REELECTED and is_new:
            said = cluster.sentence or "exo has just started over with a new master."
            yield Happening(after.at, HappeningKind.ELECTION, said)


def _renamed(before: FleetPresence, after: FleetPresence) -> Iterator[Happening]:
    """exo's id stays while exo runs: a new name with a known id is a machine known already."""
    known = {node.exo_id: node.name for node in before.nodes if node.exo_id}
    names = {node.name for node in before.nodes}
    for node in after.nodes:
        old = known.get(node.exo_id) if node.exo_id else None
        if old and node.name not in names:
            said = f"{old} calls itself {node.name} from here on."
            yield Happening(after.at, HappeningKind.RENAMED, said, node.name)
