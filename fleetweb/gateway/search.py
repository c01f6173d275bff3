"""Finding requests among millions: filters, and pages that cost the same wherever they begin.

No filter of a request is rare in every history, and not all have an index. So of those that have
one the most telling leads, and where others narrow it further, only so many of the newest that it
finds are looked through for one page. The page says how far that was, and the next goes on there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from fleetweb.core.candidates import RoutingDecision
from fleetweb.core.streams import Outcome

from .models import RequestMetric

LOOKED_THROUGH: Final = 1000
# What must be said besides, or the index is not used: indexes of rare values hold no others, and
# a key may have the name of a person.
_BY_INDEX: Final = {
    "caller": Q(key=None),
    "status": ~Q(status=Outcome.OK.value),
    "provider": ~Q(provider="exo"),
}
# Fields as no index knows them: one that leads is enough, and a second tempts a planner to walk
# along it through millions (measured: 6 s instead of 60 ms).
_PLAIN: Final = {
    f"plain_{field}": Cast(field, TextField())
    for field in ("caller", "key_id", "status", "provider", "model", "node")
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two requests, newest first: all that come after it are older."""

    asked_at: datetime
    id: str

    def __str__(self) -> str:
        micros = (self.asked_at - _EPOCH) // timedelta(microseconds=1)
        return f"{micros}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError where `text` is no cursor."""
        micros, _, request_id = text.partition(".")
        if not request_id:
            raise ValueError(f"{text!r} is not where a page ended.")
        try:
            return cls(_EPOCH + timedelta(microseconds=int(micros)), request_id)
        except OverflowError as error:
            raise ValueError(f"{text!r} is not where a page ended.") from error

    def rows(self) -> Q:
        same = Q(asked_at=self.asked_at, id__lt=self.id)
        return Q(asked_at__lte=self.asked_at) & (Q(asked_at__lt=self.asked_at) | same)


@dataclass(frozen=True, slots=True)
class Search:
    """What requests must be like; None and empty ask for nothing.

    `node` worked on it or was its door; `door` was asked. `caller` is a person. `fell_back` is
    whether somebody else had to stand in for the one that was asked first.
    """

    node: str = ""
    door: str = ""
    provider: str = ""
    model: str = ""
    key_id: int | None = None
    caller: str = ""
    status: str = ""
    cached: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    slower_than_ms: float | None = None
    decision: str = ""
    fell_back: bool | None = None

    def page(self, size: int, before: Cursor | None = None) -> "Page":
        """The `size` newest that match, of those older than `before`: two queries at most."""
        found: QuerySet[RequestMetric] = RequestMetric.objects.filter(*self._times())
        found = found.order_by("-asked_at", "-id")
        if before:
            found = found.filter(before.rows())
        indexed, others = list(self._indexed()), list(self._others())
        for field, value in indexed[:1]:
            found = found.filter(_BY_INDEX.get(field, Q()), **{field: value})
        others += [Q(**{f"plain_{field}": str(value)}) for field, value in indexed[1:]]
        reach = _reach(found) if others else None
        if others:
            found = _matching(found, others)
        rows = tuple(found.select_related("routing", "key")[: size + 1])
        if len(rows) > size:
            last = rows[size - 1]
            return Page(rows[:size], Cursor(last.asked_at, last.pk))
        return Page(rows, reach, reach.asked_at if reach else None)

    def _times(self) -> Iterator[Q]:
        if self.since:
            yield Q(asked_at__gte=self.since)
        if self.until:
            yield Q(asked_at__lt=self.until)

    def _indexed(self) -> Iterator[tuple[str, str | int]]:
        """Fields with an index of their own, those that leave least first."""
        if self.caller:
            yield "caller", self.caller
        if self.key_id is not None:
            yield "key_id", self.key_id
        if self.status and self.status != Outcome.OK:
            yield "status", self.status
        if self.provider and self.provider != "exo":
            yield "provider", self.provider
        if self.model:
            yield "model", self.model
        if self.door:
            yield "node", self.door

    def _others(self) -> Iterator[Q]:
        if self.node:
            yield Q(node=self.node) | _worked(self.node)
        if self.status == Outcome.OK:
            yield Q(status=self.status)
        if self.provider == "exo":
            yield Q(provider=self.provider)
        if self.cached is not None:
            yield Q(cached=self.cached)
        if self.slower_than_ms is not None:
            yield Q(latency_ms__gt=self.slower_than_ms)
        if self.decision:
            yield Q(routing__decision=self.decision)
        if self.fell_back is not None:
            stood_in = Q(attempts__gt=1) | Q(routing__decision=RoutingDecision.FALLBACK.value)
            yield stood_in if self.fell_back else ~stood_in


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is where the next page goes on, None at the end.

    `looked_until` is how far back was looked, where older ones have not been looked at; else None.
    """

    rows: tuple[RequestMetric, ...] = ()
    after: Cursor | None = None
    looked_until: datetime | None = None


def _reach(found: QuerySet[RequestMetric]) -> Cursor | None:
    """The last of those that one page may look through; None where there are not that many."""
    edge = found.values_list("asked_at", "id")[LOOKED_THROUGH - 1 : LOOKED_THROUGH]
    return next((Cursor(*row) for row in edge), None)


def _matching(found: QuerySet[RequestMetric], others: list[Q]) -> QuerySet[RequestMetric]:
    """What the others leave of those that may be looked through."""
    looked_at = found.order_by("-asked_at", "-id").values("pk")[:LOOKED_THROUGH]
    rows = RequestMetric.objects.alias(**_PLAIN, worked=Cast("nodes", TextField()))
    return rows.filter(*others, pk__in=looked_at).order_by("-asked_at", "-id")


def _worked(node: str) -> Q:
    """Databases write names in JSON in two ways: letters beyond ASCII as they are, or escaped."""
    return Q(worked__contains=json.dumps(node)) | Q(
        worked__contains=json.dumps(node, ensure_ascii=False)
    )
