"""The whole control room, as it is drawn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fleetweb.core.discretion import discreet
from fleetweb.core.presence import NEEDS_OWNER, ClusterPresence, CognitiveState, FleetPresence

from . import figures
from .holds import HoldsCard, holds
from .looks import LOOKS, Look
from .machine import MachineCard, machine
from .moments import Moment, moment
from .ribbon import RibbonCard, ribbon
from .stage import StageCard, king, stage

FITS_A_LINE: Final = 44  # characters of the largest letters, on the narrowest desk


@dataclass(frozen=True, slots=True)
class FleetCard:
    """What the fleet says of itself, or `speaker`, the machine that needs its owner, in its stead.

    `summary` counts what is here.
    """

    speaker: str
    sentence: str
    state: CognitiveState
    look: Look
    intensity: str
    summary: tuple[str, ...]

    @property
    def is_long(self) -> bool:
        """Whether it would not fit into one line of the largest letters on a desk."""
        return len(self.speaker) + len(self.sentence) > FITS_A_LINE


@dataclass(frozen=True, slots=True)
class NoticeCard:
    """What is wrong with one cluster as a whole, since when, and what to do about it."""

    cluster: str
    condition: str
    sentence: str
    advice: str
    since: Moment


@dataclass(frozen=True, slots=True)
class RoomCard:
    at: Moment
    rehearsal: bool
    fleet: FleetCard
    notices: tuple[NoticeCard, ...]
    stage: StageCard
    machines: tuple[MachineCard, ...]
    holds: HoldsCard
    ribbon: RibbonCard


def room(presence: FleetPresence, now: datetime, *, owner: bool) -> RoomCard:
    """The room at `now`, in the time zone of `now`. Only an `owner` reads previews of prompts."""
    if not owner:
        presence = discreet(presence)
    central = king(presence.nodes)
    return RoomCard(
        at=moment(presence.at, now),
        rehearsal=presence.rehearsal,
        fleet=_fleet(presence),
        notices=tuple(_notice(c, now) for c in presence.clusters if c.sentence),
        stage=stage(presence.nodes),
        machines=tuple(
            machine(node, now, central=node.name == central)
            for node in sorted(presence.nodes, key=lambda node: node.name != central)
        ),
        holds=holds(presence, now, owner=owner),
        ribbon=ribbon(presence, now),
    )


def _fleet(presence: FleetPresence) -> FleetCard:
    return FleetCard(
        speaker=_speaker(presence),
        sentence=presence.sentence,
        state=presence.state,
        look=LOOKS[presence.state],
        intensity=f"{min(1.0, max(0.0, presence.intensity)):.2f}",
        summary=_summary(presence),
    )


def _speaker(presence: FleetPresence) -> str:
    """Whose sentence the fleet's is: the machine's that needs its owner."""
    said_by = (
        node.name
        for node in presence.nodes
        if node.load.state in NEEDS_OWNER and node.load.sentence == presence.sentence
    )
    return next(said_by, "")


def _summary(presence: FleetPresence) -> tuple[str, ...]:
    here = [n for n in presence.nodes if n.load.state is not CognitiveState.OFFLINE]
    total = len(presence.nodes)
    memory_gb = sum(node.memory_gb or 0 for node in here)
    present = (
        figures.plural(total, "machine")
        if len(here) == total
        else (f"{len(here)} of {figures.plural(total, 'machine')} here")
    )
    return tuple(
        part for part in (present, f"{memory_gb:,} GB of memory" if memory_gb else "") if part
    )


def _notice(cluster: ClusterPresence, now: datetime) -> NoticeCard:
    return NoticeCard(
        cluster=cluster.name,
        condition=cluster.condition.value,
        sentence=cluster.sentence or "",
        advice=cluster.advice or "",
        since=moment(cluster.since, now),
    )
