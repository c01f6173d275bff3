"""What is remembered of the machines: who they are, what they did when, and how they felt."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from fleetweb.core.buckets import Resolution
from fleetweb.core.presence import CognitiveState
from fleetweb.core.roster import Role

# Here so that Django finds it.
from .happening_models import Happened as Happened


def _choices(vocabulary: type[Role] | type[CognitiveState]) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in vocabulary]


class NodeQuerySet(models.QuerySet["Node"]):
    def heard_since(self, at: datetime) -> Self:
        return self.filter(last_seen_at__gte=at)


class Node(models.Model):
    """One machine, across all restarts of exo. `exo_id` is the last it had."""

    name = models.CharField(max_length=200, unique=True)
    role = models.CharField(max_length=10, choices=_choices(Role), default=Role.WORKER.value)
    host = models.CharField(max_length=253, blank=True)
    cluster = models.CharField(max_length=253, blank=True)
    exo_id = models.CharField(max_length=64, blank=True)
    memory_gb = models.PositiveIntegerField(null=True)
    hardware = models.CharField(max_length=100, blank=True)
    chip = models.CharField(max_length=100, blank=True)
    os_version = models.CharField(max_length=100, blank=True)
    first_seen_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True, db_index=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class PresenceSpanQuerySet(models.QuerySet["PresenceSpan"]):
    def going_on(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def since(self, at: datetime) -> Self:
        """Those that reach into the time after `at`."""
        return self.filter(models.Q(ended_at__isnull=True) | models.Q(ended_at__gt=at))

    def for_node(self, name: str) -> Self:
        return self.filter(node__name=name)

    def end(self, at: datetime) -> int:
        """End what goes on, not before it began; how many that were."""
        return self.going_on().update(ended_at=Greatest("started_at", models.Value(at)))


class PresenceSpan(models.Model):
    """One machine in one state for a while. `ended_at` is None while it lasts.

    `sentence` and `evidence` are those it began with, without anything a caller wrote.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="spans", db_index=False)
    state = models.CharField(max_length=12, choices=_choices(CognitiveState))
    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    sentence = models.CharField(max_length=300)
    intensity = models.FloatField(default=0.0)
    evidence = models.JSONField(default=list)

    objects = PresenceSpanQuerySet.as_manager()

    class Meta:
        ordering = ("started_at",)
        indexes = (
            models.Index(fields=("node", "started_at")),
            # For the few that say when a machine was away, among all of a long time.
            models.Index(fields=("state", "node", "started_at")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("node",), condition=models.Q(ended_at=None), name="one_span_goes_on"
            ),
        )

    def __str__(self) -> str:
        return f"{self.node}: {self.state} since {self.started_at:%Y-%m-%d %H:%M:%S}"


class NodeSampleQuerySet(models.QuerySet["NodeSample"]):
    def since(self, at: datetime) -> Self:
        return self.filter(at__gte=at)

    def for_node(self, name: str) -> Self:
        return self.filter(node__name=name)


class NodeSample(models.Model):
    """One machine's figures at one moment; None is what exo did not say."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="samples", db_index=False)
    at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=_choices(CognitiveState))
    intensity = models.FloatField()
    requests_in_hand = models.PositiveIntegerField(default=0)
    memory_total_bytes = models.BigIntegerField(null=True)
    memory_used_bytes = models.BigIntegerField(null=True)
    gpu_usage = models.FloatField(null=True)
    cpu_usage = models.FloatField(null=True)
    temperature_c = models.FloatField(null=True)
    power_w = models.FloatField(null=True)

    objects = NodeSampleQuerySet.as_manager()

    class Meta:
        ordering = ("at",)
        indexes = (models.Index(fields=("node", "at")), models.Index(fields=("at",)))

    def __str__(self) -> str:
        return f"{self.node} at {self.at:%Y-%m-%d %H:%M:%S}"


class NodeRollupQuerySet(models.QuerySet["NodeRollup"]):
    def between(self, begins_s: int, ends_s: int) -> Self:
        """Those that begin from `begins_s` on, and before `ends_s`."""
        return self.filter(start_s__gte=begins_s, start_s__lt=ends_s)


class NodeRollup(models.Model):
    """One machine's samples in one bucket of time, which stay when the samples are thinned out.

    `states` says how many samples were in which state. `figures` are, in the order of
    `sample_rollups.FIGURES`, `[samples, sum, greatest]` of the samples that knew it, or None.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="rollups", db_index=False)
    resolution = models.PositiveIntegerField(
        choices=[(resolution.value, resolution.name.lower()) for resolution in Resolution]
    )
    start_s = models.BigIntegerField()  # since 1970
    samples = models.PositiveIntegerField(default=0)
    states = models.JSONField(default=dict)
    figures = models.JSONField(default=list)

    objects = NodeRollupQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("node", "resolution", "start_s"), name="one_node_rollup_a_bucket"
            ),
        )
        indexes = (models.Index(fields=("resolution", "start_s")),)

    def __str__(self) -> str:
        return f"{self.node_id} from {self.start_s}: {self.samples} samples"


class LeaseManager(models.Manager["PollerLease"]):
    def take(self, holder: str, valid_for: timedelta) -> datetime | None:
        """Take or renew the lease; None if somebody else holds it.

        What is returned is when it was last renewed before this, now for the very first time.
        A lease that was not renewed for `valid_for` is free, by the database's own clock: those
        of several machines may differ. The conditional update is the claim: of two that try at
        once, the database lets one match.
        """
        lease, created = self.get_or_create(
            name=PollerLease.NAME, defaults={"holder": holder, "renewed_at": Now()}
        )
        if created:
            return timezone.now()
        free = models.Q(holder__in=(holder, "")) | models.Q(renewed_at__lt=Now() - valid_for)
        claimed = self.filter(free).update(holder=holder, renewed_at=Now())
        return lease.renewed_at if claimed == 1 else None

    def give_up(self, holder: str) -> None:
        """Let the next one begin at once."""
        self.filter(holder=holder).update(holder="")


class PollerLease(models.Model):
    """Who polls. One row; whoever renewed it last within a few seconds is the one."""

    NAME = "fleet"

    name = models.CharField(max_length=20, primary_key=True)
    holder = models.CharField(max_length=200)
    renewed_at = models.DateTimeField()

    objects = LeaseManager()

    def __str__(self) -> str:
        return f"{self.holder or 'nobody'} polls, as of {self.renewed_at:%Y-%m-%d %H:%M:%S}"
