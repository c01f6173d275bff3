"""Keeping what is remembered of the machines small: the older, the coarser.

Samples are kept for two days, what they add up to by the minute as long as requests are, by the
hour and the day for good. Spans older than a week tell what lasted a minute, and whatever their
owner should know of; after the retention they go.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from fleetweb.core.buckets import Resolution
from fleetweb.core.presence import NEEDS_OWNER

from .lease import aside
from .models import NodeRollup, NodeSample, PresenceSpan

AT_ONCE: Final = 2000
SAMPLES_KEPT_FOR: Final = timedelta(days=2)
SPANS_WHOLE_FOR: Final = timedelta(days=7)
SHORT: Final = timedelta(minutes=1)
SLICE: Final = timedelta(hours=6)


class Thinning:
    """Remembers how far spans have been thinned, so that it goes over each once."""

    def __init__(self) -> None:
        self._thinned_until: datetime | None = None

    async def upkeep(self, sender: object, now: datetime, **_told: Any) -> bool:  # noqa: ARG002
        more: bool = await aside(self.step)(now)
        return more

    def step(self, now: datetime) -> bool:
        """Delete or thin a little; whether there may be more to do."""
        kept_from = now - timedelta(days=settings.FLEETWEB_RETENTION_DAYS)
        minutes = NodeRollup.objects.filter(
            resolution=Resolution.MINUTE, start_s__lt=int(kept_from.timestamp())
        )
        old_spans = PresenceSpan.objects.filter(started_at__lt=kept_from, ended_at__lt=kept_from)
        deleted = (
            _delete(NodeSample.objects.filter(at__lt=now - SAMPLES_KEPT_FOR).order_by("at")),
            _delete(minutes.order_by("start_s")),
            _delete(old_spans.order_by("started_at")),
        )
        return self._thin(now - SPANS_WHOLE_FOR) or AT_ONCE in deleted

    def _thin(self, until: datetime) -> bool:
        """The next six hours of spans; False when all are done that are old enough."""
        begins_at = self._thinned_until or _first_span_at()
        if begins_at is None or begins_at >= until:
            return False
        ends_at = min(begins_at + SLICE, until)
        thin(begins_at, ends_at)
        self._thinned_until = ends_at
        return ends_at < until


def thin(since: datetime, until: datetime) -> int:
    """Give short spans that began in this time to those before them; how many went."""
    spans = PresenceSpan.objects.filter(
        started_at__gte=since, started_at__lt=until, ended_at__isnull=False
    ).order_by("node", "started_at")
    gone: list[PresenceSpan] = []
    longer: list[PresenceSpan] = []
    for _, of_node in groupby(spans, lambda span: span.node_id):
        for span, swallowed in _swallowing(of_node):
            if swallowed:
                span.ended_at = swallowed[-1].ended_at
                longer.append(span)
                gone += swallowed
    with transaction.atomic():
        PresenceSpan.objects.filter(pk__in=[span.pk for span in gone]).delete()
        PresenceSpan.objects.bulk_update(longer, ["ended_at"], batch_size=200)
    return len(gone)


def _swallowing(
    spans: Iterable[PresenceSpan],
) -> Iterator[tuple[PresenceSpan, list[PresenceSpan]]]:
    """Each span that stays, and the short ones right after it."""
    stays: PresenceSpan | None = None
    swallowed: list[PresenceSpan] = []
    for span in spans:
        before = swallowed[-1] if swallowed else stays
        follows = before is not None and before.ended_at == span.started_at
        if stays is not None and follows and _may_go(stays, span):
            swallowed.append(span)
            continue
        if stays is not None:
            yield stays, swallowed
        stays, swallowed = span, []
    if stays is not None:
        yield stays, swallowed


def _may_go(stays: PresenceSpan, span: PresenceSpan) -> bool:
    """Too short to be seen, or more of the same; what its owner should know of is never too short.

    Nor does what they should know of grow over what came after it.
    """
    if span.state == stays.state:
        return True
    if span.state in NEEDS_OWNER or stays.state in NEEDS_OWNER:
        return False
    return span.ended_at is not None and span.ended_at - span.started_at < SHORT


def _delete(rows: QuerySet[Any]) -> int:
    """The first few hundred of them; how many that were."""
    ids = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    if ids:
        rows.model.objects.filter(pk__in=ids).delete()
    return len(ids)


def _first_span_at() -> datetime | None:
    first = PresenceSpan.objects.order_by("started_at").values_list("started_at", flat=True).first()
    return first.astimezone(UTC) if first else None
