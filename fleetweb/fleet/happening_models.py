"""What happened to the fleet, as rows that are few and stay."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from django.db import models

from fleetweb.core.happenings import Happening, HappeningKind

WORDS_CHARS: Final = 300


class HappenedQuerySet(models.QuerySet["Happened"]):
    def between(self, since: datetime, until: datetime) -> Self:
        return self.filter(at__gte=since, at__lt=until)

    def note(self, happenings: Iterable[Happening]) -> None:
        """Write these down."""
        rows = [
            Happened(at=h.at, kind=h.kind.value, words=h.words[:WORDS_CHARS], node=h.node or "")
            for h in happenings
        ]
        if rows:
            self.bulk_create(rows)


class Happened(models.Model):
    """Something that no machine's presence tells; `node` is empty where it is the fleet's."""

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in HappeningKind])
    words = models.CharField(max_length=WORDS_CHARS)
    node = models.CharField(max_length=200, blank=True)

    objects = HappenedQuerySet.as_manager()

    class Meta:
        ordering = ("at",)
        verbose_name_plural = "happened"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}: {self.words}"
