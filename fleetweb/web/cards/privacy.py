"""Leaving out what only the owner may read: the previews of prompts."""

from collections.abc import Iterable

from fleetweb.core.presence import FleetPresence

STAND_IN = "a request"


def previews(presence: FleetPresence) -> tuple[str, ...]:
    """Every preview in `presence`, longest first so that none is cut by a shorter one."""
    found = {node.load.current_task for node in presence.nodes}
    found |= {work.preview for work in presence.work}
    return tuple(sorted((text for text in found if text), key=lambda text: (-len(text), text)))


def veil(sentence: str, hidden: Iterable[str]) -> str:
    """`sentence` with "a request" wherever it quotes one of `hidden`."""
    for text in hidden:
        sentence = sentence.replace(text, STAND_IN)
    return sentence
