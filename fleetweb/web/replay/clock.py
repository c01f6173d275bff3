"""Which moment somebody means."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

NOT_A_TIME = "That is no date and time; write them as 2026-11-23 14:32:07. This is a minute ago."
STILL_TO_COME = "That is still to come. This is now."
A_MINUTE = timedelta(minutes=1)
# No fleet is older, and what lies before a moment can be counted.
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """`at` is in whole seconds, in the owner's zone; `wrong` says why it is not what was asked."""

    at: datetime
    wrong: str = ""


def asked_for(written: str, now: datetime) -> Asked:
    """The moment that `written` means; without a zone, one on the owner's clock.

    The second that is not over yet may be asked for: what has just happened is seen at its end.
    """
    if not written.strip():
        return Asked(_whole(now - A_MINUTE))
    at = _parsed(written.strip())
    if at is None:
        return Asked(_whole(now - A_MINUTE), NOT_A_TIME)
    if at > after(now):
        return Asked(_whole(now), STILL_TO_COME)
    return Asked(_whole(max(at, EARLIEST)))


def after(at: datetime) -> datetime:
    """The first whole second at which what happened at `at` can be seen."""
    whole = at.replace(microsecond=0)
    return whole if whole == at else whole + timedelta(seconds=1)


def address_of(at: datetime) -> str:
    """The moment as it stands in a link: the same for readers of all zones."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _parsed(written: str) -> datetime | None:
    """A plus sign in an address that nobody encoded is a blank."""
    head, blank, zone = written.rpartition(" ")
    mended = f"{head}+{zone}" if blank and "T" in head else written
    try:
        at = parse_datetime(mended)
        if at is None:
            return None
        return timezone.make_aware(at) if timezone.is_naive(at) else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _whole(at: datetime) -> datetime:
    return timezone.localtime(at, timezone.get_default_timezone()).replace(microsecond=0)
