"""What a key may use. The database counts, so limits hold across processes.

The minute is the last sixty seconds, whatever was refused left out: who tries on and on waits no
longer for it. The day and the month are the calendar's, where the owner lives, and are counted by
the `ledger`. A limit is looked at when a request comes. What that one will use is not known yet, so
a key may go beyond its tokens or its money by what it has in hand, and never beyond its requests.
"""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from fleetweb.core.streams import Outcome
from fleetweb.errors import ProviderRefused, ProviderUnavailable

from .ledger import day_of, use_since
from .models import ApiKey, RequestMetric

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)


def enter(row: RequestMetric, key_id: int, now: datetime) -> None:
    """Let a key's request in and write it down, or raise ProviderUnavailable with status 429.

    Of two requests that come at once, the second one sees the first: the key's row is locked
    (on SQLite, which has no such locks, the whole database). A key that was revoked in the
    meantime raises ProviderRefused with status 401.
    """
    with transaction.atomic():
        keys = ApiKey.objects.filter(revoked_at=None)
        # `no_key`: the recorder, which only refers to the key, need not wait for this.
        key = keys.select_for_update(no_key=True).filter(pk=key_id).first()
        if key is None:
            raise ProviderRefused("The key of this request was revoked.", status=401)
        refuse_if_spent(key, now)
        row.save(force_insert=True)


def refuse_if_spent(key: ApiKey, now: datetime) -> None:
    """Raise ProviderUnavailable, with the seconds until the key may ask again."""
    today = day_of(now)
    if key.requests_per_minute is not None:
        limit = key.requests_per_minute
        if free_at := _minute_has_room_at(key, limit, now):
            raise _spent(key, f"{_counted(limit, 'request')} a minute", free_at, now)
    if key.tokens_per_day is not None and use_since(key.pk, today).tokens >= key.tokens_per_day:
        raise _spent(
            key, f"{_counted(key.tokens_per_day, 'token')} a day", _begins(today + DAY), now
        )
    month = today.replace(day=1)
    if key.usd_per_month is not None and use_since(key.pk, month).cost_usd >= key.usd_per_month:
        next_month = (month + 31 * DAY).replace(day=1)
        raise _spent(key, f"${key.usd_per_month:,.2f} a month", _begins(next_month), now)


def _minute_has_room_at(key: ApiKey, limit: int, now: datetime) -> datetime | None:
    """When the last of `limit` requests will be a minute old; None if there is room now."""
    lately = RequestMetric.objects.filter(key=key, asked_at__gt=now - MINUTE)
    counted = lately.exclude(status=Outcome.REFUSED).order_by("-asked_at")
    newest = list(counted.values_list("asked_at", flat=True)[limit - 1 : limit])
    return newest[0] + MINUTE if newest else None


def _begins(day: date) -> datetime:
    """The first moment of an owner's day, in UTC: two times of one zone subtract as clocks do."""
    return datetime.combine(day, time.min, timezone.get_default_timezone()).astimezone(UTC)


def _spent(key: ApiKey, limit: str, free_at: datetime, now: datetime) -> ProviderUnavailable:
    wait_s = max(1, math.ceil((free_at - now.astimezone(UTC)).total_seconds()))
    return ProviderUnavailable(
        f"The key {key.name} may use {limit}, and has. Try again in {_said(wait_s)}.",
        status=429,
        retry_after_s=wait_s,
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _said(wait_s: int) -> str:
    """A wait as people say it."""
    if wait_s < 120:
        return f"{wait_s} s"
    if wait_s < 2 * 3600:
        return f"{math.ceil(wait_s / 60)} min"
    if wait_s < 48 * 3600:
        return f"{math.ceil(wait_s / 3600)} h"
    return f"{math.ceil(wait_s / 86400)} days"
