"""What keys may use: to the request, to the second, and however many ask at once."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from channels.db import database_sync_to_async
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from fleetweb.errors import ProviderRefused, ProviderUnavailable
from fleetweb.gateway import ledger, limits
from fleetweb.gateway.models import ApiKey, RequestMetric
from fleetweb.gateway.recorder import Entry, Recorder

from .asked import asked

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _lives_in_berlin(settings):
    settings.TIME_ZONE = "Europe/Berlin"


def key(**allowed: Any) -> ApiKey:
    return ApiKey.objects.issue("laptop", **allowed)[0]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ended(*rows: RequestMetric) -> None:
    """Writes `rows` down, and what they used."""
    with transaction.atomic():
        ledger.count(rows)
        for row in rows:
            row.save()


def enter(owner: ApiKey, at: datetime = NOW) -> RequestMetric:
    row = asked(owner, at, status="waiting")
    limits.enter(row, owner.pk, at)
    return row


def refusal(owner: ApiKey, at: datetime = NOW) -> ProviderUnavailable:
    before = RequestMetric.objects.count()
    with pytest.raises(ProviderUnavailable) as refused:
        enter(owner, at)
    assert refused.value.status == 429
    assert RequestMetric.objects.count() == before
    return refused.value


# --- requests a minute ----------------------------------------------------------------------------


def test_lets_in_as_many_requests_a_minute_as_are_allowed():
    owner = key(requests_per_minute=3)
    for seconds in (50, 30, 10):
        enter(owner, ago(seconds))
    refused = refusal(owner)
    assert refused.retry_after_s == 10
    assert str(refused) == (
        "The key laptop may use 3 requests a minute, and has. Try again in 10 s."
    )


def test_after_the_wait_there_is_room_and_not_a_second_before():
    owner = key(requests_per_minute=2)
    for seconds in (40.5, 20):
        enter(owner, ago(seconds))
    wait_s = refusal(owner).retry_after_s
    assert wait_s == 20
    refusal(owner, NOW + timedelta(seconds=wait_s - 1))
    enter(owner, NOW + timedelta(seconds=wait_s))


def test_what_was_refused_does_not_lengthen_the_wait():
    owner = key(requests_per_minute=1)
    enter(owner, ago(40))
    ended(*(asked(owner, ago(seconds), status="refused") for seconds in range(39)))
    assert refusal(owner).retry_after_s == 20


def test_a_limit_that_was_lowered_waits_until_enough_are_old():
    owner = key(requests_per_minute=5)
    for seconds in (50, 40, 30, 20, 10):
        enter(owner, ago(seconds))
    owner.requests_per_minute = 2
    owner.save()
    assert refusal(owner).retry_after_s == 40


def test_an_answer_from_the_cache_is_a_request_and_costs_no_tokens():
    owner = key(requests_per_minute=1, tokens_per_day=10)
    ended(asked(owner, ago(90), cached=True, prompt_tokens=500, completion_tokens=500))
    ended(asked(owner, ago(30), cached=True, prompt_tokens=500, completion_tokens=500))
    assert "may use 1 request a minute" in str(refusal(owner))
    enter(owner, NOW + timedelta(seconds=30))


def test_one_keys_requests_are_not_anothers():
    busy = key(requests_per_minute=1)
    enter(busy)
    other = ApiKey.objects.issue("phone", requests_per_minute=1)[0]
    enter(other)


# --- tokens a day, money a month ------------------------------------------------------------------


def test_tokens_are_counted_from_the_owners_midnight():
    owner = key(tokens_per_day=100)
    midnight = datetime(2026, 11, 23, tzinfo=ZoneInfo("Europe/Berlin"))
    yesterday = asked(owner, midnight - timedelta(seconds=1), prompt_tokens=1000)
    ended(yesterday, asked(owner, midnight, prompt_tokens=60, completion_tokens=39))
    enter(owner)
    ended(asked(owner, ago(5), completion_tokens=1))
    refused = refusal(owner)
    assert refused.retry_after_s == (8 * 60 + 27) * 60 + 53
    assert "may use 100 tokens a day, and has. Try again in 9 h." in str(refused)
    enter(owner, NOW + timedelta(seconds=refused.retry_after_s))


@pytest.mark.parametrize(
    ("noon", "hours"),
    [
        (datetime(2026, 10, 25, 0, 0, tzinfo=ZoneInfo("Europe/Berlin")), 25),
        (datetime(2026, 3, 29, 0, 0, tzinfo=ZoneInfo("Europe/Berlin")), 23),
    ],
)
def test_a_day_on_which_the_clock_is_set_is_as_long_as_it_is(noon, hours):
    owner = key(tokens_per_day=1)
    ended(asked(owner, noon, prompt_tokens=1))
    assert refusal(owner, noon).retry_after_s == hours * 3600
    assert refusal(owner, noon.astimezone(UTC)).retry_after_s == hours * 3600


def test_money_is_counted_from_the_first_of_the_owners_month():
    owner = key(usd_per_month=Decimal("1.50"))
    first = datetime(2026, 11, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    ended(asked(owner, first - timedelta(seconds=1), cost_usd=Decimal(99)))
    ended(asked(owner, first, cost_usd=Decimal("1.49999999")))
    enter(owner)
    ended(asked(owner, ago(5), cost_usd=Decimal("0.00000001")))
    refused = refusal(owner)
    until = datetime(2026, 12, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    assert refused.retry_after_s == (until.astimezone(UTC) - NOW).total_seconds()
    assert "$1.50 a month" in str(refused)
    enter(owner, until)


def test_december_is_followed_by_january():
    owner = key(usd_per_month=Decimal(1))
    silvester = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    ended(asked(owner, silvester, cost_usd=Decimal(1)))
    assert refusal(owner, silvester).retry_after_s == 60


def test_a_price_nobody_knows_counts_as_nothing():
    owner = key(usd_per_month=Decimal("0.01"))
    ended(asked(owner, NOW, cost_usd=None))
    enter(owner)


def test_what_is_spent_stays_spent_when_the_requests_are_pruned():
    owner = key(usd_per_month=Decimal(1))
    ended(asked(owner, ago(10), cost_usd=Decimal(1)))
    RequestMetric.objects.all().delete()
    refusal(owner)


@pytest.mark.django_db(transaction=True)
async def test_what_the_recorder_writes_is_counted_with_it():
    owner = await database_sync_to_async(key)(tokens_per_day=100)
    recorder = Recorder()
    recorder.start()
    try:
        row = asked(owner, NOW, prompt_tokens=30, completion_tokens=70)
        await recorder.commit(Entry(row))
    finally:
        await recorder.close()
    await database_sync_to_async(refusal)(owner)


def test_a_key_that_was_revoked_on_the_way_is_not_let_in():
    owner = key(requests_per_minute=5)
    owner.revoke(NOW)
    with pytest.raises(ProviderRefused) as refused:
        enter(owner)
    assert refused.value.status == 401
    assert not RequestMetric.objects.exists()


def test_a_request_that_is_written_down_again_counts_once():
    owner = key(tokens_per_day=100)
    row = enter(owner)
    row.status, row.prompt_tokens = "running", 60
    ended(row)
    row.status = "ok"
    ended(row)
    ended(row)
    enter(owner)
    row.completion_tokens = 40
    ended(row)
    refusal(owner)


# --- at the door, whatever is stored --------------------------------------------------------------

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}
READS_ALL = {"sqlite": "SCAN", "postgresql": "Seq Scan"}


def test_no_limit_is_looked_up_by_reading_everything():
    owner = key(requests_per_minute=5, tokens_per_day=5, usd_per_month=Decimal(5))
    with CaptureQueriesContext(connection) as asked_of_database:
        limits.refuse_if_spent(owner, NOW)
    questions = [query["sql"] for query in asked_of_database.captured_queries]
    assert len(questions) == 3
    assert [sql for sql in questions if READS_ALL[connection.vendor] in plan_of(sql)] == []


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # else it reads all of a table this small
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{EXPLAIN[connection.vendor]} {sql}")
        return repr(cursor.fetchall())


# --- at once --------------------------------------------------------------------------------------


def rush(owner: ApiKey, callers: int) -> int:
    """How many of `callers` that ask at the same time are let in."""
    together = threading.Barrier(callers)
    let_in: list[str] = []
    strange: list[BaseException] = []

    def ask(row: RequestMetric) -> None:
        together.wait()
        try:
            limits.enter(row, owner.pk, NOW)
            let_in.append(row.pk)
        except ProviderUnavailable:
            pass
        except BaseException as error:
            strange.append(error)
        finally:
            connections.close_all()

    rows = [asked(owner, NOW, status="waiting") for _ in range(callers)]
    threads = [threading.Thread(target=ask, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert strange == []
    assert sorted(RequestMetric.objects.values_list("pk", flat=True)) == sorted(let_in)
    return len(let_in)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_come_at_once_as_many_as_are_allowed_get_in():
    assert rush(key(requests_per_minute=5), callers=16) == 5


@pytest.mark.django_db(transaction=True)
def test_of_many_that_end_at_once_none_is_lost():
    owner = key(tokens_per_day=1_000)
    together = threading.Barrier(8)

    def write(row: RequestMetric) -> None:
        together.wait()
        ended(row)
        connections.close_all()

    rows = [asked(owner, NOW, prompt_tokens=7, cost_usd=Decimal("0.1")) for _ in range(8)]
    threads = [threading.Thread(target=write, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    use = owner.use.get()
    assert (use.requests, use.tokens, use.cost_usd) == (8, 56, Decimal("0.8"))
