"""Times as people and programs write them: so long ago, or a date and a time."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

WRITTEN_AS: Final = "15m, 24h, 7d, 90d or the like, or a time such as 2026-11-23T14:30:00Z"
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"([0-9]{1,6})([mhdw])")
_UNESCAPED_PLUS: Final = re.compile(r" (\d\d:?\d\d)$")  # in an address it means a space
_YEARS: Final = range(1970, 9000)  # others are not kept by every database


def when(written: str, now: datetime, zone: tzinfo) -> datetime:
    """The moment in UTC; of `zone`, where it names none. Raises ValueError if it can't be read."""
    found = ago(written)
    try:
        at = now - found if found is not None else _time(written, zone)
    except OverflowError as error:
        raise ValueError(f"{written!r} is too long ago.") from error
    if at.year not in _YEARS:
        raise ValueError(f"{written!r} is too far away.")
    return at.astimezone(UTC)


def ago(written: str) -> timedelta | None:
    """`15m`, `24h`, `7d`, `4w`; None where it is written otherwise."""
    found = _AGO.fullmatch(written)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def _time(written: str, zone: tzinfo) -> datetime:
    at = datetime.fromisoformat(_UNESCAPED_PLUS.sub(r"+\1", written))
    return at if at.tzinfo else at.replace(tzinfo=zone)
