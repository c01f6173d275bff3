"""The last ten minutes of every machine, as a band of states and in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fleetweb.core import words
from fleetweb.core.presence import CognitiveState, FleetPresence, Span

from .figures import svg
from .looks import LOOKS, Look
from .moments import Moment, moment

MINUTES = 10
_WINDOW = timedelta(minutes=MINUTES)
# The band moves on in steps, so that a still fleet causes a push every ten seconds, not every one.
STEP_S = 10
AXIS = ("10 min ago", "5 min ago", "now")
# Between two spans of one state, this long without any means that nobody watched.
_UNSEEN_S = 1.0
# How many changes are told in words before the rest is only counted.
_TOLD = 6


@dataclass(frozen=True, slots=True)
class SegmentCard:
    """`x` and `width` are seconds of the window."""

    state: CognitiveState
    look: Look
    x: str
    width: str
    told: str


@dataclass(frozen=True, slots=True)
class BandCard:
    name: str
    segments: tuple[SegmentCard, ...]
    words: str


@dataclass(frozen=True, slots=True)
class RibbonCard:
    start: Moment
    bands: tuple[BandCard, ...]
    looks: tuple[Look, ...]
    axis: tuple[str, ...] = AXIS


@dataclass(frozen=True, slots=True)
class _Stretch:
    state: CognitiveState
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def goes_on_as(self, after: "_Stretch") -> bool:
        """Whether `after` is more of the same; while nobody watched, nobody knows."""
        return after.state is self.state and after.start_s - self.end_s < _UNSEEN_S


def ribbon(presence: FleetPresence, now: datetime) -> RibbonCard:
    end = _step_after(now)
    start = end - _WINDOW
    stretches = {
        node.name: _stretches(presence.spans, node.name, start, end) for node in presence.nodes
    }
    seen = {stretch.state for row in stretches.values() for stretch in row}
    return RibbonCard(
        start=moment(start, now),
        bands=tuple(_band(name, row) for name, row in stretches.items()),
        looks=tuple(LOOKS[state] for state in CognitiveState if state in seen),
    )


def _step_after(now: datetime) -> datetime:
    """The end of the step that `now` is in."""
    whole = int(now.timestamp()) // STEP_S * STEP_S + STEP_S
    return datetime.fromtimestamp(whole, UTC)


def _stretches(
    spans: Iterable[Span], name: str, start: datetime, end: datetime
) -> tuple[_Stretch, ...]:
    """The spans of one machine inside the window; those of one state that touch are one."""
    inside = [
        _Stretch(
            span.state,
            max(0.0, (span.started_at - start).total_seconds()),
            min(_WINDOW, (span.ended_at or end) - start).total_seconds(),
        )
        for span in spans
        if span.node == name
    ]
    joined: list[_Stretch] = []
    for stretch in sorted((s for s in inside if s.length_s > 0), key=lambda s: s.start_s):
        if joined and joined[-1].goes_on_as(stretch):
            stretch = replace(stretch, start_s=joined.pop().start_s)
        joined.append(stretch)
    return tuple(joined)


def _band(name: str, row: Sequence[_Stretch]) -> BandCard:
    return BandCard(name, tuple(_segment(stretch) for stretch in row), _words(row))


def _segment(stretch: _Stretch) -> SegmentCard:
    look = LOOKS[stretch.state]
    return SegmentCard(
        state=stretch.state,
        look=look,
        x=svg(stretch.start_s),
        width=svg(stretch.length_s),
        told=f"{look.word}, {words.duration(stretch.length_s)}",
    )


def _words(row: Sequence[_Stretch]) -> str:
    if not row:
        return "Nothing known of these ten minutes."
    told = list(_told(row))
    earlier = f"after {len(told) - _TOLD} earlier changes, " if len(told) > _TOLD else ""
    return f"{earlier}{', then '.join(told[-_TOLD:])}.".capitalize()


def _told(row: Sequence[_Stretch]) -> Iterator[str]:
    end_s = row[0].start_s
    for stretch in row:
        if stretch.start_s - end_s >= _UNSEEN_S:
            yield f"unwatched {words.duration(stretch.start_s - end_s)}"
        yield f"{LOOKS[stretch.state].word.lower()} {words.duration(stretch.length_s)}"
        end_s = stretch.end_s
