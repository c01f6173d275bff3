"""What programs ask of the history in an address: read, or refused by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from django.utils import timezone

from fleetweb.core.when import WRITTEN_AS, when

DEFAULT_RANGE: Final = timedelta(hours=24)
LONGEST: Final = timedelta(days=400)
CLOCKS_DIFFER: Final = timedelta(minutes=1)

Word = TypeVar("Word", bound=StrEnum)


class BadParameter(ValueError):
    """What was asked for can't be understood; the message names the parameter and what it wants."""

    def __init__(self, name: str, wants: str) -> None:
        super().__init__(f"`{name}` wants {wants}.")


@dataclass(frozen=True, slots=True)
class Range:
    since: datetime
    until: datetime


def range_of(params: Mapping[str, str], now: datetime) -> Range:
    """From `since` to `until`: the last day, where neither says otherwise. Raises BadParameter."""
    until = time_of(params, "until", now) or now
    since = since_of(params, now) or until - DEFAULT_RANGE
    if since >= until:
        raise BadParameter("since", "a time before `until`")
    if until - since > LONGEST:
        raise BadParameter("since", f"a time at most {LONGEST.days} days before `until`")
    return Range(since, until)


def since_of(params: Mapping[str, str], now: datetime) -> datetime | None:
    """None if not given. Raises BadParameter for the future: nothing is known of that."""
    since = time_of(params, "since", now)
    if since is not None and since - now > CLOCKS_DIFFER:
        raise BadParameter("since", "a time that is not in the future")
    return since


def time_of(params: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    """So long before `now`, or a time; the owner's, where it names no zone. None if not given."""
    written = params.get(name, "").strip()
    if not written:
        return None
    try:
        return when(written, now, timezone.get_default_timezone())
    except ValueError as error:
        raise BadParameter(name, WRITTEN_AS) from error


def number_of(params: Mapping[str, str], name: str, default: int, most: int) -> int:
    written = params.get(name, "").strip()
    if not written:
        return default
    wants = f"a whole number from 1 to {most}"
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise BadParameter(name, wants)
    if not 1 <= int(written) <= most:
        raise BadParameter(name, wants)
    return int(written)


def milliseconds_of(params: Mapping[str, str], name: str) -> float | None:
    written = params.get(name, "").strip()
    if not written:
        return None
    try:
        found = float(written)
    except ValueError as error:
        raise BadParameter(name, "a number of milliseconds") from error
    if not 0 <= found < float("inf"):
        raise BadParameter(name, "a number of milliseconds")
    return found


def word_of(params: Mapping[str, str], name: str, words: type[Word]) -> Word | None:
    written = params.get(name, "").strip()
    if not written:
        return None
    try:
        return words(written)
    except ValueError as error:
        raise BadParameter(name, f"one of {', '.join(words)}") from error


def yes_or_no(params: Mapping[str, str], name: str) -> bool | None:
    written = params.get(name, "").strip().lower()
    if not written:
        return None
    if written in ("true", "1", "yes"):
        return True
    if written in ("false", "0", "no"):
        return False
    raise BadParameter(name, "true or false")
