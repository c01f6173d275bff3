"""What happened, as marks on the charts and as a list."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from fleetweb.core import words
from fleetweb.core.happenings import Happening as FleetHappening
from fleetweb.core.happenings import HappeningKind
from fleetweb.core.presence import CognitiveState
from fleetweb.fleet.series import Happening, Marker

from ..looks import Tone
from .book import Book
from .times import Wall

# A machine that was listed and never seen is not lost.
NOT_HERE_YET: Final = words.offline(None, datetime.min.replace(tzinfo=UTC))
AT_ONCE: Final = timedelta(seconds=2)
_LOOKS: Final = {
    Happening.LOST: ("power-off", Tone.HURT, "was lost"),
    Happening.BACK: ("check", Tone.REST, "is back"),
    Happening.STUMBLED: ("triangle-alert", Tone.HURT, "stumbled"),
    Happening.PLACED: ("layers", Tone.STIRRING, "got a model"),
}


_OTHERS: Final = {
    HappeningKind.ELECTION: ("scale", Tone.DOUBT),
    HappeningKind.RESTARTED: ("repeat", Tone.STIRRING),
    HappeningKind.SYSTEM: ("download", Tone.STIRRING),
    HappeningKind.RENAMED: ("pen-line", Tone.STIRRING),
    HappeningKind.CLOCK: ("clock", Tone.DOUBT),
}


@dataclass(frozen=True, slots=True)
class MarkCard:
    """`words` name the machine and say what it was; `iso` and `clock` when."""

    at_s: float
    iso: str
    clock: str
    icon: str
    tone: Tone
    words: str


def marks(book: Book, wall: Wall) -> tuple[MarkCard, ...]:
    """Newest first. What happens to several machines at once is one mark for each of them."""
    cards = [_card(marker, wall) for marker in book.markers if _is_true(marker, book)]
    cards += [_other(happening, wall) for happening in book.happened]
    return tuple(sorted(cards, key=lambda card: -card.at_s))


def _other(happening: FleetHappening, wall: Wall) -> MarkCard:
    icon, tone = _OTHERS[happening.kind]
    return MarkCard(
        at_s=happening.at.timestamp(),
        iso=happening.at.isoformat(),
        clock=wall.clock(happening.at),
        icon=icon,
        tone=tone,
        words=happening.words,
    )


def _is_true(marker: Marker, book: Book) -> bool:
    """A machine is back only if it went on to something: spans end when nobody watches, too."""
    if marker.sentence == NOT_HERE_YET:
        return False
    if marker.happening is not Happening.BACK or not book.spans_are_all:
        return True
    return any(
        span.node == marker.node
        and span.state is not CognitiveState.OFFLINE
        and timedelta() <= span.started_at - marker.at <= AT_ONCE
        for span in book.spans
    )


def _card(marker: Marker, wall: Wall) -> MarkCard:
    icon, tone, short = _LOOKS[marker.happening]
    said = f": {marker.sentence}" if marker.sentence else "."
    return MarkCard(
        at_s=marker.at.timestamp(),
        iso=marker.at.isoformat(),
        clock=wall.clock(marker.at),
        icon=icon,
        tone=tone,
        words=f"{marker.node} {short}{said}",
    )
