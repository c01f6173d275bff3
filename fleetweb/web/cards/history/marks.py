"""What happened, as marks on the charts and as a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from fleetweb.core import words
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
    Happening.QUIET: ("volume-off", Tone.HURT, "went quiet"),
    Happening.BACK: ("check", Tone.REST, "is back"),
    Happening.STUMBLED: ("triangle-alert", Tone.HURT, "stumbled"),
    Happening.PLACED: ("layers", Tone.STIRRING, "began to load a model"),
}


_OTHERS: Final = {
    HappeningKind.ELECTION: ("scale", Tone.DOUBT),
    HappeningKind.RESTARTED: ("repeat", Tone.STIRRING),
    HappeningKind.SYSTEM: ("download", Tone.STIRRING),
    HappeningKind.RENAMED: ("pen-line", Tone.STIRRING),
    HappeningKind.CLOCK: ("clock", Tone.DOUBT),
}


class Mark(NamedTuple):
    """`words` name the machine and say what it was."""

    at: datetime
    icon: str
    tone: Tone
    words: str


@dataclass(frozen=True, slots=True)
class MarkCard:
    """A mark in the list; `iso` and `clock` say when."""

    iso: str
    clock: str
    icon: str
    tone: Tone
    words: str


def marks(book: Book) -> tuple[Mark, ...]:
    """Newest first. What happens to several machines at once is one mark for each of them."""
    found = [_mark(marker) for marker in book.markers if _is_true(marker, book)]
    found += [Mark(one.at, *_OTHERS[one.kind], one.words) for one in book.happened]
    return tuple(sorted(found, key=lambda mark: mark.at, reverse=True))


def listed(found: Iterable[Mark], wall: Wall) -> tuple[MarkCard, ...]:
    """They as they are read."""
    return tuple(
        MarkCard(mark.at.isoformat(), wall.clock(mark.at), mark.icon, mark.tone, mark.words)
        for mark in found
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


def _mark(marker: Marker) -> Mark:
    icon, tone, short = _LOOKS[marker.happening]
    return Mark(marker.at, icon, tone, f"{marker.node} {short}{_said(marker)}")


def _said(marker: Marker) -> str:
    """Of what goes on only what it was, not how far it had come."""
    if marker.happening is Happening.PLACED:
        return f": {marker.sentence.rpartition(': ')[0] or marker.sentence.rstrip('.')}."
    if marker.happening is Happening.QUIET or not marker.sentence:
        return "."
    return f": {marker.sentence}"
