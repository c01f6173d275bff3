"""What a key may use. The database counts, so limits hold across processes."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from fleetweb.errors import ProviderUnavailable

from .models import ApiKey, RequestMetric, spent

MINUTE: Final = timedelta(minutes=1)


def enter(row: RequestMetric, key_id: int, now: datetime) -> None:
    """Let a key's request in and write it down, or raise ProviderUnavailable with status 429.

    Of two requests that come at once, the second one sees the first: the key's row is locked.
    """
    with transaction.atomic():
        key = ApiKey.objects.select_for_update().get(pk=key_id)
        refuse_if_spent(key, now)
        row.save(force_insert=True)
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def refuse_if_spent(key: ApiKey, now: datetime) -> None:
    requests = RequestMetric.objects.filter(key=key)
    if key.requests_per_minute is not None:
        lately = requests.since(now - MINUTE)
        if lately.count() >= key.requests_per_minute:
            oldest = lately.order_by("asked_at").values_list("asked_at", flat=True).first()
            wait = (oldest + MINUTE - now) if oldest else MINUTE
            raise _spent(key, f"{key.requests_per_minute} requests a minute", wait)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if key.tokens_per_day is not None and spent(requests.since(day))[1] >= key.tokens_per_day:
        raise _spent(key, f"{key.tokens_per_day:,} tokens a day", day + timedelta(days=1) - now)
    month = day.replace(day=1)
    if key.usd_per_month is not None and spent(requests.since(month))[2] >= key.usd_per_month:
        next_month = (month + timedelta(days=32)).replace(day=1)
        raise _spent(key, f"${key.usd_per_month} a month", next_month - now)


def _spent(key: ApiKey, limit: str, wait: timedelta) -> ProviderUnavailable:
    seconds = max(1, round(wait.total_seconds()))
    return ProviderUnavailable(
        f"The key {key.name} may use {limit}, and has.", status=429, retry_after_s=seconds
    )
