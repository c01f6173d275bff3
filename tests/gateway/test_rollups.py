"""Requests add up once each, to the right time and subjects, whoever counts and however often."""

import random
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetweb.core.latency import Histogram
from fleetweb.core.roster import Role
from fleetweb.fleet.models import Node, NodeSample
from fleetweb.gateway import rollups
from fleetweb.gateway.models import RequestMetric, Rollup, RollupSubject
from fleetweb.gateway.recorder import Entry, _commit
from tests.gateway.asked_before import request

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 30, 20, tzinfo=UTC)
KING = {"subject__scope": RollupSubject.NODE, "subject__name": "king", "subject__model": ""}
EVERYTHING = {"subject__scope": RollupSubject.ALL}


def ended(*rows: RequestMetric) -> None:
    """Save them as the recorder does, and add up what there is."""
    _commit([Entry(row) for row in rows])
    catch_up()


def catch_up() -> None:
    while rollups.catch_up():
        pass


def hour(**of: str) -> Rollup:
    return Rollup.objects.get(resolution=3600, **(of or KING))


def everything_kept() -> list[tuple[object, ...]]:
    """All rollups as values, in one order."""
    fields = ("subject__scope", "subject__name", "subject__model", *rollups.KEY_FIELDS[1:])
    rows = (
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
        for row in Rollup.objects.values_list(*fields, *rollups.SUM_FIELDS)
    )
    return sorted(rows, key=lambda row: row[: len(fields)])


def test_a_request_counts_for_everything_it_belongs_to_at_every_resolution():
    ended(request(NOW))
    found = Rollup.objects.values_list(
        "subject__scope", "subject__name", "subject__model", "resolution", "start_s", "count"
    )
    begins = {60: NOW.replace(second=0), 3600: NOW.replace(minute=0, second=0)}
    begins[86_400] = NOW.replace(hour=0, minute=0, second=0)
    subjects = [
        ("all", "", ""),
        ("node", "king", ""),
        ("node", "king", "mlx/Llama-3.3-70B"),
        ("provider", "exo", ""),
        ("model", "mlx/Llama-3.3-70B", ""),
    ]
    assert sorted(found) == sorted(
        (*subject, resolution, int(at.timestamp()), 1)
        for subject in subjects
        for resolution, at in begins.items()
    )


def test_sums_are_of_what_was_really_spent():
    ended(
        request(NOW, cost_usd=Decimal("0.0125")),
        request(NOW, cost_usd=None),
        request(NOW, cost_usd=Decimal("0.0025"), cached=True),
        request(NOW, "failed", prompt_tokens=7, completion_tokens=None, latency_ms=9e5),
        request(NOW, "cancelled"),
        request(NOW, "refused", prompt_tokens=None, completion_tokens=None),
        request(NOW, "interrupted", prompt_tokens=None, completion_tokens=None),
        request(NOW, "running"),
    )
    kept = hour()
    counts = (kept.count, kept.errors, kept.cancelled, kept.refused, kept.cached)
    assert counts == (7, 2, 1, 1, 1)
    assert (kept.prompt_tokens, kept.completion_tokens) == (307, 120)
    assert kept.cost_usd == Decimal("0.0125")
    assert kept.energy_j is None
    assert Histogram.unpack(bytes(kept.latency)) == Histogram.of([1000.0, 1000.0])
    assert Histogram.unpack(bytes(kept.gap)) == Histogram.of([50.0, 50.0])


def test_a_price_nobody_knows_is_not_nothing():
    ended(request(NOW, cost_usd=None))
    assert hour().cost_usd is None


def test_a_request_that_reached_no_machine_counts_for_all():
    ended(request(NOW, "failed", node="", provider="", model=""))
    assert [row.count for row in Rollup.objects.filter(**EVERYTHING)] == [1, 1, 1]
    assert not Rollup.objects.exclude(**EVERYTHING).exists()


def test_a_request_counts_when_it_has_ended_and_not_before():
    row = request(NOW, "running")
    ended(row)
    assert not Rollup.objects.exists()
    row.status = "ok"
    ended(row)
    assert hour().count == 1


def test_a_request_that_is_saved_again_counts_once():
    row = request(NOW)
    ended(row)
    ended(row)
    ended(request(NOW, id=row.pk, counted_as=""))
    assert hour().count == 1
    assert RequestMetric.objects.get().counted_as == "ok"


def test_one_that_is_given_up_for_lost_is_an_error_until_it_ends_after_all():
    row = request(NOW, "running", process="gone:1:a")
    _commit([Entry(row)])
    assert RequestMetric.objects.of_process("gone:1:a").interrupt(NOW) == 1
    catch_up()
    assert (hour().count, hour().errors) == (1, 1)
    row.status = "ok"
    ended(row)
    assert (hour().count, hour().errors) == (1, 0)
    assert Histogram.unpack(bytes(hour().latency)).count == 1


def test_nothing_is_counted_where_the_batch_fails():
    with transaction.atomic():
        ended(request(NOW))
        transaction.set_rollback(True)
    assert not Rollup.objects.exists()
    assert not RequestMetric.objects.exists()


@pytest.mark.parametrize("absurd", [-1.0, 1e300, float("inf")])
def test_a_measure_that_cannot_be_is_left_out(absurd):
    ended(request(NOW, latency_ms=absurd, tokens_per_s=1e-300))
    assert (hour().count, bytes(hour().latency), bytes(hour().gap)) == (1, b"", b"")


def test_energy_is_the_share_of_what_all_the_machines_drew():
    for name, watts in (("king", 100.0), ("soldier1", 50.0)):
        node = Node.objects.create(name=name, role=Role.SOLDIER)
        for second in (0, 10, 20):
            NodeSample.objects.create(
                node=node,
                at=NOW + timedelta(seconds=second),
                state="processing",
                intensity=0.5,
                requests_in_hand=2,
                power_w=watts,
            )
    lasting = {"ended_at": NOW + timedelta(seconds=20), "waited_ms": 0.0}
    ended(request(NOW, nodes=["king", "soldier1"], **lasting))
    assert hour().energy_j == pytest.approx((100 + 50) / 2 * 20)
    assert RequestMetric.objects.get().energy_j == pytest.approx(1500)


def test_energy_is_unknown_where_one_of_the_machines_does_not_say():
    Node.objects.create(name="king", role=Role.KING)
    ended(request(NOW, nodes=["king"]))
    assert hour().energy_j is None


FIGURES = st.fixed_dictionaries(
    {
        "latency_ms": st.one_of(st.none(), st.floats(0, 1e6)),
        "ttft_ms": st.one_of(st.none(), st.floats(0, 1e5)),
        "tokens_per_s": st.one_of(st.none(), st.floats(0.01, 500)),
        "cost_usd": st.one_of(st.none(), st.decimals(0, 5, places=8)),
        "node": st.sampled_from(["king", "soldier1", ""]),
        "status": st.sampled_from(["ok", "failed", "cancelled", "refused"]),
        "cached": st.booleans(),
    }
)
MINUTES = st.integers(0, 60 * 30)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.tuples(MINUTES, FIGURES), min_size=1, max_size=8), chance=st.randoms())
def test_the_order_and_the_batches_make_no_difference_and_rows_give_the_same(asked, chance):
    with transaction.atomic():
        rows = [request(NOW + timedelta(minutes=minutes), **figures) for minutes, figures in asked]
        ended(*rows)
        at_once = everything_kept()
        Rollup.objects.all().delete()
        RequestMetric.objects.all().delete()
        chance.shuffle(rows)
        for row in rows:
            ended(row)
        assert everything_kept() == at_once
        Rollup.objects.filter(count__gt=0).update(count=999, latency=b"")
        list(rollups.rebuild(NOW, NOW + timedelta(hours=30)))
        assert everything_kept() == at_once
        transaction.set_rollback(True)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham"])
def test_rebuilding_gives_the_same_in_every_zone(zone, settings):
    settings.TIME_ZONE = zone
    timezone.get_default_timezone.cache_clear()
    try:
        chance = random.Random(1)
        first = datetime(2026, 10, 24, tzinfo=ZoneInfo(zone))
        ended(*(request(first + timedelta(hours=chance.uniform(0, 90))) for _ in range(80)))
        before = everything_kept()
        days = list(rollups.rebuild(first + timedelta(hours=30), first + timedelta(hours=31)))
        assert len(days) == 1
        assert everything_kept() == before
    finally:
        timezone.get_default_timezone.cache_clear()


def test_rebuilding_counts_what_was_not_counted_yet_and_that_only_once():
    _commit([Entry(request(NOW))])
    assert [count for _, count in rollups.rebuild(NOW, NOW + timedelta(seconds=1))] == [1]
    catch_up()
    assert hour().count == 1


def test_a_clock_that_jumped_back_leaves_every_request_in_its_own_time():
    ended(request(NOW))
    ended(request(NOW - timedelta(hours=3)))
    ended(request(NOW + timedelta(minutes=1)))
    found = Rollup.objects.filter(resolution=3600, **KING).order_by("start_s")
    assert [row.count for row in found] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_several_processes_that_count_the_same_minute_lose_nothing():
    rows = [request(NOW + timedelta(milliseconds=n), latency_ms=float(n)) for n in range(120)]
    faults: list[BaseException] = []

    def write(mine: list[RequestMetric]) -> None:
        try:
            for row in mine:
                _commit([Entry(row)])
                rollups.catch_up(most=7)
        except BaseException as fault:  # told by the test, not by the thread
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(rows[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    catch_up()
    assert hour().count == 120
    assert Histogram.unpack(bytes(hour().latency)) == Histogram.of(row.latency_ms for row in rows)
