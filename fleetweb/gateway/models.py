"""What is remembered of requests: what was asked for, where it went and why."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models

from fleetweb.core.streams import Outcome

# Here so that Django finds them.
from .key_models import ApiKey as ApiKey
from .key_models import KeyUse as KeyUse
from .rollup_models import HistoryTurn as HistoryTurn
from .rollup_models import Rollup as Rollup
from .rollup_models import RollupSubject as RollupSubject


class RequestMetricQuerySet(models.QuerySet["RequestMetric"]):
    def since(self, at: datetime) -> Self:
        return self.filter(asked_at__gte=at)

    def for_node(self, name: str) -> Self:
        return self.filter(node=name)

    def in_hand(self) -> Self:
        return self.filter(status__in=RequestMetric.OPEN)

    def of_process(self, process: str) -> Self:
        return self.filter(process=process)

    def ended(self) -> Self:
        return self.exclude(status__in=RequestMetric.OPEN)

    def uncounted(self) -> Self:
        """Those that have ended and are not in the rollups yet, or as something else."""
        return self.ended().exclude(counted_as=models.F("status"))

    def interrupt(self, now: datetime) -> int:
        """Mark what will never be finished, because its process is gone; how many that were."""
        return self.in_hand().update(status=Outcome.INTERRUPTED.value, ended_at=now)


class RequestMetric(models.Model):
    """One request. Its text is not here; None is what was not measured or does not apply.

    `node` is the door that was asked, `nodes` are the machines that worked. Durations add up:
    waited, loading, then to the first token (`ttft_ms`, from when it was asked), then the rest.
    """

    OPEN: ClassVar = (Outcome.WAITING.value, Outcome.RUNNING.value)

    id = models.CharField(max_length=40, primary_key=True)
    asked_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=11, choices=[(o.value, o.value) for o in Outcome])
    process = models.CharField(max_length=300)
    caller = models.CharField(max_length=150)
    key = models.ForeignKey(
        ApiKey, null=True, on_delete=models.SET_NULL, related_name="requests", db_index=False
    )
    source = models.CharField(max_length=12, default="api")  # api, playground
    streamed = models.BooleanField(default=False)
    cached = models.BooleanField(default=False)
    model_asked = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=12, blank=True)
    cluster = models.CharField(max_length=253, blank=True)
    node = models.CharField(max_length=200, blank=True)
    nodes = models.JSONField(default=list)
    attempts = models.PositiveSmallIntegerField(default=0)
    waited_ms = models.FloatField(null=True)
    loading_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    answering_at_ms = models.FloatField(null=True)  # when thinking ended, from when it was asked
    latency_ms = models.FloatField(null=True)
    longest_gap_ms = models.FloatField(null=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    tokens_per_s = models.FloatField(null=True)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True)
    energy_j = models.FloatField(null=True)  # of the machines that worked, while it was worked on
    counted_as = models.CharField(max_length=11, blank=True)  # its status in the rollups
    finish_reason = models.CharField(max_length=32, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = RequestMetricQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at",)
        indexes = (
            models.Index(fields=("node", "asked_at")),
            models.Index(fields=("model", "asked_at")),
            models.Index(fields=("caller", "asked_at")),
            models.Index(
                fields=("asked_at",),
                condition=~models.Q(counted_as=models.F("status")),
                name="requests_uncounted",
            ),
            # Most requests are answered, and by exo: of those an index would be no help.
            models.Index(
                fields=("status", "asked_at"),
                condition=~models.Q(status="ok"),
                name="requests_not_answered",
            ),
            models.Index(
                fields=("provider", "asked_at"),
                condition=~models.Q(provider="exo"),
                name="requests_outside_exo",
            ),
            # With the status, so that `limits` leaves out what was refused without reading it.
            models.Index(
                fields=("key", "asked_at", "status"),
                condition=models.Q(key__isnull=False),
                name="requests_of_keys",
            ),
            models.Index(
                fields=("process",),
                condition=models.Q(status__in=("waiting", "running")),
                name="requests_in_hand",
            ),
        )

    def __str__(self) -> str:
        return f"{self.id}: {self.model_asked}, {self.status}"


class RoutingRecord(models.Model):
    """Why a request went where it went: the candidates, what was tried, and what came of it."""

    request = models.OneToOneField(
        RequestMetric, on_delete=models.CASCADE, primary_key=True, related_name="routing"
    )
    strategy = models.CharField(max_length=20, blank=True)
    decision = models.CharField(max_length=20, blank=True)
    reason = models.TextField(blank=True)
    node_endpoint = models.CharField(max_length=300, blank=True)
    estimated_latency_ms = models.FloatField(null=True)
    model_loaded = models.BooleanField(default=False)
    candidates = models.JSONField(default=list)
    attempts = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.request_id}: {self.reason}"


class RequestText(models.Model):
    """What was asked and answered: kept where the owner or the playground's user wanted it."""

    request = models.OneToOneField(
        RequestMetric, on_delete=models.CASCADE, primary_key=True, related_name="text"
    )
    messages = models.JSONField()
    reasoning = models.TextField(blank=True)
    answer = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"the text of {self.request_id}"


class GatewayProcess(models.Model):
    """A process that answers requests, and when it last said so."""

    SILENT_AFTER: ClassVar = timedelta(seconds=20)

    name = models.CharField(max_length=300, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
