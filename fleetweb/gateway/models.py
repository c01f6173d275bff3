"""What is remembered of requests: what was asked for, where it went and why, and who may ask."""

import hashlib
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Self

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from fleetweb.core.streams import Outcome

# Here so that Django finds them.
from .rollup_models import HistoryTurn as HistoryTurn
from .rollup_models import Rollup as Rollup
from .rollup_models import RollupSubject as RollupSubject

KEY_PREFIX: Final = "fw-"
KEY_BYTES: Final = 32
SHOWN_OF_KEY: Final = 10
TOUCHED_EVERY: Final = timedelta(minutes=1)
# No person's name can begin so: Django takes no colon in one.
KEY_USER: Final = "key:"
NAME_WANTED: Final = "A key needs a name."
NAME_TAKEN: Final = "There is a key of that name, in use or revoked. Choose another name."

_name_reads_well = RegexValidator(
    r"\A\w[\w .@+-]*\Z",
    "A name begins with a letter or a digit and has letters, digits, spaces and . _ - @ + in it.",
)
_one_or_more = MinValueValidator(1, "A limit is 1 or more. Leave it empty for no limit.")
_a_cent_or_more = MinValueValidator(
    Decimal("0.01"), "A limit is $0.01 or more. Leave it empty for no limit."
)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(revoked_at__isnull=True, user__is_active=True)


class ApiKeyManager(models.Manager["ApiKey"]):
    def get_queryset(self) -> ApiKeyQuerySet:
        return ApiKeyQuerySet(self.model, using=self._db)

    def usable(self) -> ApiKeyQuerySet:
        return self.get_queryset().usable()

    def issue(self, name: str, **limits: object) -> tuple["ApiKey", str]:
        """A new key and its secret, which is shown now and never again.

        Raises Django's ValidationError where the name is taken or anything is out of bounds.
        """
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        shown, digest = secret[:SHOWN_OF_KEY], digest_of(secret)
        key = self.model(name=name.strip(), shown=shown, digest=digest, **limits)
        key.full_clean(exclude=["user"])
        try:
            with transaction.atomic():
                key.user = User.objects.create_user(f"{KEY_USER}{key.name}")
                key.save()
        except IntegrityError as error:  # a second press of the button came a moment before
            raise ValidationError({"name": NAME_TAKEN}) from error
        return key, secret

    def find(self, secret: str) -> "ApiKey | None":
        """The usable key with this secret; it comes with its user, who knows it in turn."""
        if not secret.startswith(KEY_PREFIX):
            return None
        return self.usable().select_related("user").filter(digest=digest_of(secret)).first()


def digest_of(secret: str) -> str:
    """Secrets are random and long, so a plain hash of one can't be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKey(models.Model):
    """A program's way in to `/v1`. Limits are None where there is none.

    Keys are revoked, never deleted: what was asked with them stays theirs.
    """

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="api_key")
    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[_name_reads_well],
        error_messages={
            "blank": NAME_WANTED,
            "unique": NAME_TAKEN,
        },
    )
    shown = models.CharField(max_length=SHOWN_OF_KEY)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[_one_or_more]
    )
    tokens_per_day = models.PositiveBigIntegerField(
        null=True, blank=True, validators=[_one_or_more]
    )
    usd_per_month = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, validators=[_a_cent_or_more]
    )
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

    def touch(self, now: datetime) -> None:
        """Remember that it was used, to the minute: no write for each of many requests."""
        if self.last_used_at is None or now - self.last_used_at >= TOUCHED_EVERY:
            self.last_used_at = now
            self.save(update_fields=["last_used_at"])

    def revoke(self, now: datetime) -> bool:
        """Shut it for good; False if it was revoked before.

        Its user is saved once the key is shut and not in one transaction with it, so that whoever
        hears of it by Django's signals and looks, finds it shut.
        """
        was_open = ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now) == 1
        self.refresh_from_db()
        self.user.is_active = False
        self.user.save(update_fields=["is_active"])
        return was_open


class KeyUse(models.Model):
    """What a key used on a day of the owner's: kept when the requests themselves are pruned."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="use")
    day = models.DateField()
    requests = models.PositiveBigIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, default=Decimal(0))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "day"), name="one_use_a_day"),)

    def __str__(self) -> str:
        return f"{self.key_id} on {self.day}: {self.requests} requests"


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
            models.Index(fields=("key", "asked_at", "status")),
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
