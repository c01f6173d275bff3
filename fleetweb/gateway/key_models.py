"""Keys by which programs get in, and what they used."""

import hashlib
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.utils import timezone

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
