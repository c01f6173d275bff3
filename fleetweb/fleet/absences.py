"""When machines of an invented past were away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

A_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Absence:
    """One machine, offline from one second since 1970 to another."""

    machine: str
    began_s: float
    ended_s: float

    def covers(self, at_s: float) -> bool:
        return self.began_s <= at_s < self.ended_s


def by_minute(absences: Iterable[Absence], ahead_s: float) -> Mapping[int, tuple[Absence, ...]]:
    """For each minute since 1970 those that reach into it, or begin up to `ahead_s` after it.

    Minutes of which there is nothing to say are not in it: most are not.
    """
    minutes: dict[int, tuple[Absence, ...]] = {}
    for absence in absences:
        first = int(absence.began_s - ahead_s) // A_MINUTE_S
        for minute in range(first, int(absence.ended_s) // A_MINUTE_S + 1):
            minutes[minute] = (*minutes.get(minute, ()), absence)
    return minutes
