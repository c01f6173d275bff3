"""What happened to a fleet that never was: a handful of elections and new versions."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from fleetweb.core import words
from fleetweb.core.happenings import Happening, HappeningKind, restarted, system_changed

from .absences import Absence

ELECTIONS: Final = 6  # at the most
AN_ELECTION_EVERY: Final = timedelta(days=12)
VERSIONS: Final = ("15.5", "15.6")
RENEWED: Final = 4  # machines that went from one to the other
LOADED: Final = ("Llama-3.3-70B", "Qwen3-235B")


def marks(
    absences: Sequence[Absence], since: datetime, until: datetime, draw: random.Random
) -> list[Happening]:
    """In the order of their times."""
    found = [*_elections(since, until, draw), *_new_versions(absences)]
    return sorted(found, key=lambda happening: happening.at)


def _elections(since: datetime, until: datetime, draw: random.Random) -> Iterator[Happening]:
    for _ in range(min(ELECTIONS, max(1, (until - since) // AN_ELECTION_EVERY))):
        lost = LOADED[: draw.randint(0, len(LOADED))]
        at = since + (until - since) * draw.random()
        yield Happening(at, HappeningKind.ELECTION, words.cluster_elected(lost))


def _new_versions(absences: Iterable[Absence]) -> Iterator[Happening]:
    """A machine that gets a new system is away for it: it has it when it comes back."""
    firsts = {absence.machine: absence for absence in sorted(absences, key=lambda a: -a.began_s)}
    for machine, absence in list(firsts.items())[:RENEWED]:
        at = datetime.fromtimestamp(absence.ended_s, UTC)
        yield restarted(machine, at)
        yield system_changed(machine, *VERSIONS, at)
