"""Points in time as a page carries them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fleetweb.core import words


@dataclass(frozen=True, slots=True)
class Moment:
    """`iso` for the browser, which ticks by itself; `clock` for whoever reads without scripts."""

    iso: str
    clock: str


def moment(at: datetime, now: datetime) -> Moment:
    iso = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Moment(iso, words.clock(at, now))
