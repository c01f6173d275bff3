"""The hour around a moment: what the scrubber moves over, and where there was trouble in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fleetweb.core.presence import NEEDS_OWNER, CognitiveState
from fleetweb.fleet.models import PresenceSpan
from fleetweb.fleet.past import latest_at

from ..cards.figures import svg
from ..cards.looks import LOOKS, Look
from ..cards.moments import Moment, moment
from .clock import address_of, after

LENGTH_S: Final = 3600
STROKES: Final = 600  # that would stand side by side
MOST_MARKS: Final = 400
_TROUBLE: Final = [state.value for state in CognitiveState if state in NEEDS_OWNER]


@dataclass(frozen=True, slots=True)
class MarkCard:
    """`x` and `width` are seconds of the hour."""

    state: CognitiveState
    look: Look
    x: str
    width: str
    told: str


@dataclass(frozen=True, slots=True)
class HourCard:
    """`place` is where the moment lies in it, in seconds, and `last` the last one there can be.

    `length` is how much of it there is so far: an hour that is not over ends now. `here` and
    `stroke` are where the line of the moment is drawn, and how wide.
    """

    start: Moment
    end: Moment
    length: int
    last: int
    place: int
    here: str
    stroke: str
    earlier: str
    later: str
    marks: tuple[MarkCard, ...]


def hour_of(at: datetime, now: datetime) -> HourCard:
    """Two queries."""
    start = at.replace(minute=0, second=0, microsecond=0)
    length = timedelta(seconds=LENGTH_S)
    seconds = min(LENGTH_S, max(1, int(after(now).timestamp() - start.timestamp())))
    place = int((at - start).total_seconds())
    stroke = seconds / STROKES
    return HourCard(
        start=moment(start, at),
        end=moment(start + timedelta(seconds=seconds), at),
        length=seconds,
        last=min(seconds, LENGTH_S - 1),
        place=place,
        here=svg(min(place, seconds - stroke)),
        stroke=svg(stroke),
        earlier=address_of(at - length),
        later=address_of(at + length) if at + length <= now else "",
        marks=tuple(_marks(start, start + length, now, narrowest=stroke / 3)),
    )


def _marks(
    start: datetime, end: datetime, now: datetime, *, narrowest: float
) -> Iterator[MarkCard]:
    inside = PresenceSpan.objects.filter(started_at__gt=start, started_at__lt=end)
    hurt = inside.filter(state__in=_TROUBLE).order_by("started_at").select_related("node")
    lasting = latest_at(start).filter(state__in=_TROUBLE).select_related("node")
    for span in (*lasting, *hurt[:MOST_MARKS]):
        began_at, ended_at = max(span.started_at, start), min(span.ended_at or now, end)
        if ended_at > began_at:
            look = LOOKS[CognitiveState(span.state)]
            yield MarkCard(
                state=CognitiveState(span.state),
                look=look,
                x=svg((began_at - start).total_seconds()),
                width=svg(max(narrowest, (ended_at - began_at).total_seconds())),
                told=f"{span.node.name}: {look.word}",
            )
