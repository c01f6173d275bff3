"""What happened, as marks on the charts and as a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fleetweb.fleet.series import Happening, Marker

from ..looks import Tone
from .times import Wall

_LOOKS: Final = {
    Happening.LOST: ("power-off", Tone.HURT, "was lost"),
    Happening.BACK: ("check", Tone.REST, "is back"),
    Happening.STUMBLED: ("triangle-alert", Tone.HURT, "stumbled"),
    Happening.PLACED: ("layers", Tone.STIRRING, "got a model"),
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


def marks(markers: Iterable[Marker], wall: Wall) -> tuple[MarkCard, ...]:
    """Newest first. What happens to several machines at once is one mark for each of them."""
    cards = [_card(marker, wall) for marker in markers]
    return tuple(reversed(cards))


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
