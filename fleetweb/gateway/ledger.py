"""What each key has used, added up by day as requests end.

The sums are kept because they are asked for at the door, before every request of a limited key:
reading them takes one small range however many requests there were, and they outlive the requests
that retention prunes.

Days are the owner's (`settings.TIME_ZONE`), and a request belongs to the one it was asked in. What
was refused counts for nothing, nor does what was cut off with its process. An answer from the cache
is a request, and neither tokens nor money. What was not measured, or has no known price, counts as
nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Self

from django.db.models import F, Sum
from django.utils import timezone

from fleetweb.core.streams import Outcome

from .models import KeyUse, RequestMetric

NOT_COUNTED = frozenset({*RequestMetric.OPEN, Outcome.REFUSED.value, Outcome.INTERRUPTED.value})


@dataclass(frozen=True, slots=True)
class Use:
    requests: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)

    def __add__(self, other: Self) -> "Use":
        return Use(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.cost_usd + other.cost_usd,
        )

    def __sub__(self, other: Self) -> "Use":
        return Use(
            self.requests - other.requests,
            self.tokens - other.tokens,
            self.cost_usd - other.cost_usd,
        )


NOTHING = Use()


def count(metrics: Iterable[RequestMetric]) -> None:
    """Add what has ended among `metrics`, which are about to be saved in this transaction.

    A row that is saved once more counts once: what it counted for before is taken off.
    """
    keyed = [metric for metric in metrics if metric.key_id and metric.status not in NOT_COUNTED]
    if not keyed:
        return
    before = RequestMetric.objects.in_bulk([metric.pk for metric in keyed])
    added: defaultdict[tuple[int, date], Use] = defaultdict(Use)
    for metric in keyed:
        old = before.get(metric.pk)
        more = used_by(metric) - (used_by(old) if old else NOTHING)
        if metric.key_id and more != NOTHING:
            added[metric.key_id, day_of(metric.asked_at)] += more
    for (key_id, day), use in sorted(added.items()):  # in one order, or writers could deadlock
        _add(key_id, day, use)


def used_by(metric: RequestMetric) -> Use:
    """What one request counts for."""
    if metric.status in NOT_COUNTED:
        return NOTHING
    if metric.cached:
        return Use(requests=1)
    tokens = (metric.prompt_tokens or 0) + (metric.completion_tokens or 0)
    return Use(1, tokens, metric.cost_usd or Decimal(0))


def use_since(key_id: int, day: date) -> Use:
    """What a key has used on `day` and since."""
    sums = KeyUse.objects.filter(key_id=key_id, day__gte=day).aggregate(
        requests=Sum("requests"), tokens=Sum("tokens"), cost_usd=Sum("cost_usd")
    )
    return Use(sums["requests"] or 0, sums["tokens"] or 0, sums["cost_usd"] or Decimal(0))


def uses_since(day: date) -> dict[int, Use]:
    """What every key that used anything has used on `day` and since, by its id."""
    rows = KeyUse.objects.filter(day__gte=day).values("key_id")
    sums = rows.annotate(
        sum_of_requests=Sum("requests"), tokens=Sum("tokens"), cost=Sum("cost_usd")
    )
    return {
        row["key_id"]: Use(row["sum_of_requests"], row["tokens"], row["cost"])
        for row in sums.order_by()
    }


def day_of(at: datetime) -> date:
    """The owner's day."""
    return timezone.localtime(at, timezone.get_default_timezone()).date()


def _add(key_id: int, day: date, use: Use) -> None:
    row, _ = KeyUse.objects.get_or_create(key_id=key_id, day=day)
    KeyUse.objects.filter(pk=row.pk).update(
        requests=F("requests") + use.requests,
        tokens=F("tokens") + use.tokens,
        cost_usd=F("cost_usd") + use.cost_usd,
    )
