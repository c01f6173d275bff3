"""`manage.py apikey`, as it is typed."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from fleetweb.gateway.models import ApiKey

pytestmark = pytest.mark.django_db


def typed(*arguments: str) -> tuple[str, str]:
    """What it prints for scripts, and what it says to people."""
    out, err = StringIO(), StringIO()
    call_command("apikey", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_create_prints_the_secret_alone_so_that_it_can_be_piped():
    out, err = typed("create", "laptop")
    assert ApiKey.objects.find(out.strip()) == ApiKey.objects.get(name="laptop")
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert "shown now and never again" in err


def test_create_sets_limits():
    typed(
        *("create", "laptop", "--requests-per-minute", "30", "--tokens-per-day", "1,000,000"),
        *("--usd-per-month", "$2.50", "--local-only"),
    )
    key = ApiKey.objects.get()
    assert (key.requests_per_minute, key.tokens_per_day) == (30, 1_000_000)
    assert (key.usd_per_month, key.local_only) == (Decimal("2.50"), True)


def test_without_limits_there_are_none():
    typed("create", "laptop")
    key = ApiKey.objects.get()
    assert (key.has_limits, key.local_only) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", ""], "NAME: A key needs a name."),
        (["create", "a/b"], "NAME: A name begins with a letter or a digit"),
        (["create", "taken"], "NAME: There is a key of that name, in use or revoked."),
        (["create", "x", "--requests-per-minute", "0"], "--requests-per-minute: A limit is 1 or"),
        (["create", "x", "--tokens-per-day", "-5"], "--tokens-per-day: A limit is 1 or more."),
        (["create", "x", "--tokens-per-day", "many"], "'many' is not a whole number."),
        (["create", "x", "--tokens-per-day", "1.5"], "'1.5' is not a whole number."),
        (["create", "x", "--usd-per-month", "cheap"], "'cheap' is not an amount in dollars"),
        (["create", "x", "--usd-per-month", "0"], "--usd-per-month: A limit is $0.01 or more."),
        (["create", "x", "--usd-per-month", "nan"], "--usd-per-month: "),
        (["revoke", "nobody"], "There is no key nobody. See: python manage.py apikey list"),
    ],
)
def test_says_what_is_wrong_and_makes_nothing(arguments, words):
    typed("create", "taken")
    with pytest.raises(CommandError) as refused:
        typed(*arguments)
    assert words in str(refused.value)
    assert ApiKey.objects.count() == 1


def test_list_tells_what_there_is():
    typed("create", "laptop", "--tokens-per-day", "5000", "--local-only")
    typed("create", "old")
    typed("revoke", "old")
    laptop, old = ApiKey.objects.all()
    assert typed("list")[0].splitlines() == [
        f"laptop  {laptop.shown}…  never used  5,000 tokens a day, never out of the house",
        f"old  {old.shown}…  revoked {timezone.localdate(old.revoked_at)}  no limits",
    ]


def test_list_says_how_to_make_the_first_one():
    assert "apikey create NAME" in typed("list")[0]


def test_revoke_shuts_a_key_and_says_when_it_was_shut_already():
    secret = typed("create", "laptop")[0].strip()
    assert "opens nothing any more" in typed("revoke", "laptop")[0]
    assert ApiKey.objects.find(secret) is None
    assert "was revoked before, on" in typed("revoke", "laptop")[0]


def test_before_the_database_is_prepared_it_says_how_to_prepare_it():
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {ApiKey._meta.db_table} RENAME TO elsewhere")
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        typed("list")
