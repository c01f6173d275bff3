"""The list of past runs: newest first, searched, a page at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.utils.dateparse import parse_datetime

from ..cards.figures import plural
from ..cards.moments import Moment, moment
from ..models import PlaygroundRun

A_PAGE: Final = 30
IN_HAND: Final = Q(turns__answers__status__in=("waiting", "running"))


@dataclass(frozen=True, slots=True)
class PastRun:
    id: str
    title: str
    at: Moment
    told: str
    in_hand: bool


@dataclass(frozen=True, slots=True)
class PastCard:
    """`older` is where the next page begins, "" where there is none."""

    search: str
    runs: tuple[PastRun, ...]
    older: str


def past_card(user: User, search: str, before: str | None, now: datetime) -> PastCard:
    found = PlaygroundRun.objects.of(user)
    if search:
        found = found.mentioning(search)
    until = parse_datetime(before) if before else None
    if until is not None:
        found = found.filter(updated_at__lt=until)
    counted = found.annotate(
        turn_count=Count("turns", distinct=True),
        open_count=Count("turns__answers", filter=IN_HAND, distinct=True),
    )
    columns = ("pk", "title", "updated_at", "turn_count", "open_count")
    rows = list(counted.order_by("-updated_at").values(*columns)[: A_PAGE + 1])
    shown = rows[:A_PAGE]
    return PastCard(
        search=search,
        runs=tuple(
            PastRun(
                id=row["pk"],
                title=row["title"],
                at=moment(row["updated_at"], now),
                told=plural(row["turn_count"], "turn"),
                in_hand=bool(row["open_count"]),
            )
            for row in shown
        ),
        older=shown[-1]["updated_at"].isoformat() if len(rows) > A_PAGE else "",
    )
