"""Letting go of requests when they are old: the rows, and what is finer than an hour of them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fleetweb.core.buckets import Resolution, at_of, start_s
from fleetweb.fleet.lease import aside

from .models import RequestMetric
from .rollup_models import HistoryTurn, Rollup

AT_ONCE: Final = 500


async def upkeep(sender: object, now: datetime, **_told: Any) -> bool:  # noqa: ARG001
    """Prune a little; whether there is more."""
    more: bool = await aside(prune)(now)
    return more


def prune(now: datetime) -> bool:
    """Delete a few hundred rows of those that are too old; whether there may be more.

    None goes before it is counted. What they added up to by hour and day stays.
    """
    edge = kept_from(now)
    with transaction.atomic():
        # At once, so that nobody adds up anew a day of which rows are missing already.
        turn = HistoryTurn.objects.take()
        turn.pruned_until(edge)
    rows = RequestMetric.objects.filter(asked_at__lt=edge, counted_as=F("status"))
    ids = list(rows.order_by("asked_at").values_list("pk", flat=True)[:AT_ONCE])
    RequestMetric.objects.filter(pk__in=ids).delete()
    minutes = Rollup.objects.filter(
        resolution=Resolution.MINUTE, start_s__lt=int(edge.timestamp())
    ).order_by("start_s")
    finer = list(minutes.values_list("pk", flat=True)[: AT_ONCE * 5])
    Rollup.objects.filter(pk__in=finer).delete()
    return len(ids) == AT_ONCE or len(finer) == AT_ONCE * 5


def kept_from(now: datetime) -> datetime:
    """Requests asked before this are too old: a full hour, at or before an owner's midnight."""
    oldest = now - timedelta(days=settings.FLEETWEB_RETENTION_DAYS)
    midnight_s = start_s(oldest, Resolution.DAY, timezone.get_default_timezone())
    return at_of(midnight_s - midnight_s % Resolution.HOUR).astimezone(UTC)
