"""`manage.py apikey`: make, list and revoke the keys by which programs get in."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from fleetweb.gateway.models import ApiKey

NO_KEYS = "There are no keys. Make one: python manage.py apikey create NAME"


class Command(BaseCommand):
    help = "Make, list and revoke API keys for programs."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="make a key and print its secret, once")
        create.add_argument("name", metavar="NAME", help="whose it is: laptop, notebook, cron")
        create.add_argument("--requests-per-minute", metavar="N", type=_whole)
        create.add_argument("--tokens-per-day", metavar="N", type=_whole)
        create.add_argument("--usd-per-month", metavar="X", type=_dollars)
        create.add_argument(
            "--local-only", action="store_true", help="its prompts never leave the house"
        )
        actions.add_parser("list", help="show all keys, never their secrets")
        revoke = actions.add_parser("revoke", help="shut a key for good")
        revoke.add_argument("name", metavar="NAME")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        actions: dict[str, Callable[..., None]] = {
            "create": self._create,
            "list": self._list,
            "revoke": self._revoke,
        }
        try:
            actions[action](**options)
        except DatabaseError as error:
            raise CommandError(
                f"The keys can't be reached: {error}. Where the database is new,"
                " `python manage.py migrate` prepares it."
            ) from error

    def _create(
        self,
        *,
        name: str,
        requests_per_minute: int | None,
        tokens_per_day: int | None,
        usd_per_month: Decimal | None,
        local_only: bool,
        **_: Any,
    ) -> None:
        try:
            key, secret = ApiKey.objects.issue(
                name,
                requests_per_minute=requests_per_minute,
                tokens_per_day=tokens_per_day,
                usd_per_month=usd_per_month,
                local_only=local_only,
            )
        except ValidationError as error:
            raise CommandError(_told(error)) from error
        self.stderr.write(f"The key {key.name}. Its secret is shown now and never again:")
        self.stdout.write(secret)

    def _list(self, **_: Any) -> None:
        keys = ApiKey.objects.all()
        if not keys:
            self.stdout.write(NO_KEYS)
        for key in keys:
            self.stdout.write(f"{key.name}  {key.shown}…  {_state(key)}  {_limits(key)}")

    def _revoke(self, *, name: str, **_: Any) -> None:
        key = ApiKey.objects.filter(name=name).first()
        if key is None:
            raise CommandError(f"There is no key {name}. See: python manage.py apikey list")
        if key.revoke(timezone.now()):
            self.stdout.write(f"The key {name} is revoked: it opens nothing any more.")
        else:
            self.stdout.write(f"The key {name} was revoked before, on {_day(key.revoked_at)}.")


def _whole(text: str) -> int:
    try:
        return int(text.replace(",", ""))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a whole number.") from error


def _dollars(text: str) -> Decimal:
    try:
        return Decimal(text.removeprefix("$"))
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is not an amount in dollars, such as 2.50.") from error


def _told(error: ValidationError) -> str:
    """What is wrong, each under the name of the option that it is about."""
    return "\n".join(
        f"{'NAME' if field == 'name' else '--' + field.replace('_', '-')}: {' '.join(messages)}"
        for field, messages in error.message_dict.items()
    )


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return f"revoked {_day(key.revoked_at)}"
    return f"used {_day(key.last_used_at)}" if key.last_used_at else "never used"


def _day(at: datetime | None) -> str:
    """The owner's day; empty for what has not happened."""
    return f"{timezone.localtime(at):%Y-%m-%d}" if at else ""


def _limits(key: ApiKey) -> str:
    limits = (
        key.requests_per_minute and f"{key.requests_per_minute:,} requests a minute",
        key.tokens_per_day and f"{key.tokens_per_day:,} tokens a day",
        key.usd_per_month and f"${key.usd_per_month:,.2f} a month",
        key.local_only and "never out of the house",
    )
    return ", ".join(limit for limit in limits if limit) or "no limits"
