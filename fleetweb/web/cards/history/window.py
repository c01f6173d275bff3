"""From when to when somebody looks back, as they say it in an address."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from django.utils.dateparse import parse_datetime

RANGES: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
RANGE_WORDS: Final = {
    "15m": "15 minutes",
    "1h": "hour",
    "6h": "6 hours",
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}
DEFAULT: Final = "6h"
LONGEST: Final = timedelta(days=3660)
# Beyond these lie times that no database keeps.
YEARS: Final = (1971, 9000)
SHORTEST: Final = timedelta(minutes=1)


class BadWindow(ValueError):
    """The address asks for a time that there is not; its message says what it wants."""


@dataclass(frozen=True, slots=True)
class Window:
    """`choice` is one of `RANGES`, None where from and to were given. `is_live` reaches to now.

    Both ends are in UTC: times of one zone are compared by what the clock on the wall says, which
    is wrong where it is set back.
    """

    since: datetime
    until: datetime
    choice: str | None
    is_live: bool


def chosen(name: str, now: datetime) -> Window:
    """The last so many minutes, hours or days. Raises BadWindow for a name that is none."""
    if name not in RANGES:
        raise BadWindow(f"There is no range “{name}”: choose one of {', '.join(RANGES)}.")
    until = now.astimezone(UTC)
    return Window(until - RANGES[name], until, name, is_live=True)


def between(begin: str, end: str, now: datetime) -> Window:
    """From `begin` to `end`, which is now where it is empty. Raises BadWindow."""
    zone = now.tzinfo
    if not begin:
        raise BadWindow("From is empty: write a date and a time, such as 2026-11-23 14:00.")
    latest = now.astimezone(UTC)
    since = time_of(begin, "From", zone)
    until = time_of(end, "To", zone) if end else latest
    if since >= latest:
        raise BadWindow("From lies in the future: nothing has happened there yet.")
    if until <= since:
        raise BadWindow("To is not after From: exchange them, or leave To empty for now.")
    if until - since > LONGEST:
        raise BadWindow("That is more than ten years: choose a shorter time.")
    longer = max(until, since + SHORTEST)
    return Window(since, min(longer, latest), None, is_live=longer >= latest)


def time_of(written: str, box: str, zone: tzinfo | None) -> datetime:
    """A time on the owner's wall, or in a zone of its own if it names one; in UTC."""
    wrong = f"{box} is “{written}”: write a date and a time, such as 2026-11-23 14:00."
    try:
        found = parse_datetime(written.strip())
        if found is None:
            raise ValueError
        at = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadWindow(wrong) from error
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise BadWindow(wrong)
    return at
