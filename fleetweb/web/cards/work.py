"""What exo has in hand, longest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleetweb.core import words
from fleetweb.core.presence import FleetPresence, NodePresence, Work

from .looks import LOOKS, Look, Tone
from .moments import Moment, moment

_UNPLACED = Look("In hand", "brain", Tone.THINKING)


@dataclass(frozen=True, slots=True)
class WorkCard:
    """`title` quotes the preview of the prompt where there is one, and is a plain noun else."""

    key: str
    title: str
    quoted: bool
    model: str
    machines: str
    look: Look
    since: Moment


def in_thought(presence: FleetPresence, now: datetime) -> tuple[WorkCard, ...]:
    oldest_first = sorted(presence.work, key=lambda work: (work.started_at, work.id))
    return tuple(_card(work, presence.nodes, now) for work in oldest_first)


def _card(work: Work, nodes: Sequence[NodePresence], now: datetime) -> WorkCard:
    return WorkCard(
        key=work.id,
        title=work.preview or "A request",
        quoted=work.preview is not None,
        model=words.short_model(work.model_id),
        machines=words.listing(work.nodes),
        look=_look(work, nodes),
        since=moment(work.started_at, now),
    )


def _look(work: Work, nodes: Sequence[NodePresence]) -> Look:
    """The look of the first machine at it: those that share an instance share its state."""
    states = {node.name: node.load.state for node in nodes}
    return next((LOOKS[states[name]] for name in work.nodes if name in states), _UNPLACED)
