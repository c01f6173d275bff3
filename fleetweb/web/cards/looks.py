"""How each state looks: its word, its icon and the tone that colours it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleetweb.core.presence import CognitiveState


class Tone(StrEnum):
    """The colours of the room. Each has one meaning, and is never the only sign of it."""

    AWAY = "away"
    REST = "rest"
    STIRRING = "stirring"
    THINKING = "thinking"
    DOUBT = "doubt"
    HURT = "hurt"


@dataclass(frozen=True, slots=True)
class Look:
    """`icon` is a symbol of the icon sprite."""

    word: str
    icon: str
    tone: Tone


LOOKS: Mapping[CognitiveState, Look] = {
    CognitiveState.OFFLINE: Look("Offline", "power-off", Tone.AWAY),
    CognitiveState.QUIET: Look("Gone quiet", "volume-off", Tone.HURT),
    CognitiveState.STUMBLED: Look("Stumbled", "triangle-alert", Tone.HURT),
    CognitiveState.LEARNING: Look("Learning", "download", Tone.STIRRING),
    CognitiveState.WAKING: Look("Waking up", "sunrise", Tone.STIRRING),
    CognitiveState.IDLE: Look("Idle", "wind", Tone.REST),
    CognitiveState.READING: Look("Reading", "book-open", Tone.THINKING),
    CognitiveState.PROCESSING: Look("Processing", "brain", Tone.THINKING),
    CognitiveState.GRAPPLING: Look("Grappling", "scale", Tone.DOUBT),
    CognitiveState.RESOLVING: Look("Rethinking", "iteration-ccw", Tone.DOUBT),
    CognitiveState.CIRCLING: Look("Circling", "repeat", Tone.DOUBT),
    CognitiveState.SILENT: Look("Silent", "hourglass", Tone.HURT),
}
NEVER_SEEN = Look("Not here yet", "circle-dashed", Tone.AWAY)
