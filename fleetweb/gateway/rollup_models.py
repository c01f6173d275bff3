"""What is left of requests when they are added up, and kept when they are pruned."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models

from fleetweb.core.buckets import Resolution


class RollupSubject(models.Model):
    """What requests are added up for: all of them, a node, a provider, a model.

    `name` is empty for all; `model` is set where it is a node's requests for that model alone.
    """

    ALL: ClassVar = "all"
    NODE: ClassVar = "node"
    PROVIDER: ClassVar = "provider"
    MODEL: ClassVar = "model"

    scope = models.CharField(max_length=8)
    name = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("scope", "name", "model"), name="one_subject"),
        )

    def __str__(self) -> str:
        return " ".join(filter(None, (self.scope, self.name, self.model)))


class RollupQuerySet(models.QuerySet["Rollup"]):
    def between(self, begins_s: int, ends_s: int) -> Self:
        """Those that begin from `begins_s` on, and before `ends_s`."""
        return self.filter(start_s__gte=begins_s, start_s__lt=ends_s)


class Rollup(models.Model):
    """The requests of one subject that were asked in one bucket of time, and have ended.

    `errors` are those that failed or were interrupted. Tokens and cost are those that were really
    spent: an answer from the cache spends none. `cost_usd` and `energy_j` add up what is known and
    are None where nothing is. The histograms are packed (`core.latency`), in milliseconds, of the
    requests that were answered, and not from the cache; `gap` has one value for each: the mean
    time between its tokens.
    """

    subject = models.ForeignKey(  # found by the constraint's index
        RollupSubject, on_delete=models.CASCADE, related_name="rollups", db_index=False
    )
    resolution = models.PositiveIntegerField(
        choices=[(resolution.value, resolution.name.lower()) for resolution in Resolution]
    )
    start_s = models.BigIntegerField()  # since 1970: found by arithmetic, and never parsed
    count = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    cached = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    energy_j = models.FloatField(null=True)
    latency = models.BinaryField(default=b"")
    ttft = models.BinaryField(default=b"")
    gap = models.BinaryField(default=b"")

    objects = RollupQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("subject", "resolution", "start_s"), name="one_rollup_a_bucket"
            ),
        )
        # For pruning, and for rebuilding a stretch of time.
        indexes = (models.Index(fields=("resolution", "start_s")),)

    def __str__(self) -> str:
        return f"{self.subject_id} from {self.start_s}: {self.count} requests"


class HistoryTurnManager(models.Manager["HistoryTurn"]):
    def take(self) -> "HistoryTurn":
        """Wait until nobody else adds up, and keep them out until this transaction ends."""
        turn, _ = self.select_for_update().get_or_create(name=HistoryTurn.NAME)
        return turn


class HistoryTurn(models.Model):
    """Whose turn it is to add up: one row, locked by whoever does.

    Taken before anything else that a transaction locks, so that two writers never wait for each
    other. Requests asked before `rows_from` have been pruned; None while none have.
    """

    NAME: ClassVar = "rollups"

    name = models.CharField(max_length=20, primary_key=True)
    rows_from = models.DateTimeField(null=True)

    objects = HistoryTurnManager()

    def __str__(self) -> str:
        return f"{self.name}: requests from {self.rows_from or 'the first on'}"

    def pruned_until(self, at: datetime) -> None:
        """Requests asked before `at` are about to go; what was added up of them stays."""
        if self.rows_from is None or self.rows_from < at:
            self.rows_from = at
            self.save(update_fields=["rows_from"])
