"""What is remembered of requests: what was asked for, where it went and why, and who may ask."""

import hashlib
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Self

from django.db import models
from django.utils import timezone

from fleetweb.core.streams import Outcome

KEY_PREFIX: Final = "fw-"
KEY_BYTES: Final = 32
SHOWN_OF_KEY: Final = 10


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(revoked_at__isnull=True)


class ApiKeyManager(models.Manager["ApiKey"]):
    def get_queryset(self) -> ApiKeyQuerySet:
        return ApiKeyQuerySet(self.model, using=self._db)

    def issue(self, name: str, **limits: object) -> tuple["ApiKey", str]:
        """A new key and its secret, which is shown now and never again."""
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        key = self.create(
            name=name, shown=secret[:SHOWN_OF_KEY], digest=digest_of(secret), **limits
        )
        return key, secret

    def find(self, secret: str) -> "ApiKey | None":
        """The usable key with this secret."""
        return self.get_queryset().usable().filter(digest=digest_of(secret)).first()


def digest_of(secret: str) -> str:
    """Secrets are random and long, so a plain hash of one can't be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKey(models.Model):
    """A program's way in to `/v1`. Limits are None where there is none."""

    name = models.CharField(max_length=100, unique=True)
    shown = models.CharField(max_length=SHOWN_OF_KEY)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_day = models.PositiveBigIntegerField(null=True, blank=True)
    usd_per_month = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    local_only = models.BooleanField(default=False)

    objects = ApiKeyManager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def has_limits(self) -> bool:
        limits = (self.requests_per_minute, self.tokens_per_day, self.usd_per_month)
        return any(limit is not None for limit in limits)


class RequestMetricQuerySet(models.QuerySet["RequestMetric"]):
    def since(self, at: datetime) -> Self:
        return self.filter(asked_at__gte=at)

    def for_node(self, name: str) -> Self:
        return self.filter(node=name)

    def in_hand(self) -> Self:
        return self.filter(status__in=RequestMetric.OPEN)

    def of_process(self, process: str) -> Self:
        return self.filter(process=process)

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
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="requests")
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
    finish_reason = models.CharField(max_length=32, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = RequestMetricQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at",)
        indexes = (
            models.Index(fields=("node", "asked_at")),
            models.Index(fields=("key", "asked_at")),
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


def spent(rows: RequestMetricQuerySet) -> tuple[int, int, Decimal]:
    """Requests, tokens and dollars of `rows`; what was not measured counts as nothing."""
    sums = rows.aggregate(
        requests=models.Count("id"),
        prompt=models.Sum("prompt_tokens"),
        completion=models.Sum("completion_tokens"),
        cost=models.Sum("cost_usd"),
    )
    tokens = (sums["prompt"] or 0) + (sums["completion"] or 0)
    return sums["requests"], tokens, sums["cost"] or Decimal(0)
