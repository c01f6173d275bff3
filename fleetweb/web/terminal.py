"""The fleet in a terminal: a box with every machine's bar and sentence."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from fleetweb.core import words
from fleetweb.core.presence import AT_WORK, NEEDS_OWNER, CognitiveState

BAR: Final = 10
NARROWEST: Final = 48


class Machine(msgspec.Struct, frozen=True):
    """A machine as `GET /api/presence` tells of it, so far as the box shows it."""

    name: str
    presence: str
    cognitive_state: CognitiveState
    intensity: float


class Fleet(msgspec.Struct, frozen=True):
    """The fleet as `GET /api/presence` tells of it, so far as the box shows it."""

    presence_message: str
    fleet_status: str
    total_memory_gb: int
    nodes: tuple[Machine, ...]
    rehearsal: bool = False


def box(fleet: Fleet, width: int) -> str:
    """The fleet in `width` columns."""
    inner = max(width, NARROWEST) - 4
    head = [fleet.presence_message, _totals(fleet)]
    parts = [head, list(_machines(fleet.nodes, inner))]
    if is_thinking(fleet):
        parts.append([words.NOT_BROKEN])
    rule = "═" * (inner + 2)
    lines = [f"╔{rule}╗"]
    for number, part in enumerate(parts):
        lines += [f"╠{rule}╣"] if number else []
        lines += [f"║ {_cut(text, inner):{inner}} ║" for text in part]
    return "\n".join([*lines, f"╚{rule}╝"])


def is_thinking(fleet: Fleet) -> bool:
    """Whether it may be said: somebody works, and nobody needs the owner."""
    states = [machine.cognitive_state for machine in fleet.nodes]
    troubled = NEEDS_OWNER - {CognitiveState.OFFLINE}
    return any(s in AT_WORK for s in states) and not any(s in troubled for s in states)


def _totals(fleet: Fleet) -> str:
    here = sum(m.cognitive_state is not CognitiveState.OFFLINE for m in fleet.nodes)
    rehearsal = " · rehearsal fleet: no real machines" if fleet.rehearsal else ""
    machines = f"{here} of {len(fleet.nodes)} machines here"
    return f"{machines} · {fleet.total_memory_gb} GB · {fleet.fleet_status}{rehearsal}"


def _machines(machines: Sequence[Machine], inner: int) -> Iterator[str]:
    longest = min(max((len(m.name) for m in machines), default=0), inner // 3)
    for machine in machines:
        filled = round(machine.intensity * BAR)
        bar = "█" * filled + "░" * (BAR - filled)
        yield f"{_cut(machine.name, longest):{longest}}  {bar}  {machine.presence}"


def _cut(text: str, width: int) -> str:
    """At most `width` characters, none of which a terminal would obey: others wrote some."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
