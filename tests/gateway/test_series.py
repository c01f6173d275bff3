"""Looking back at requests: percentiles that are true, and charts without invented points."""

import math
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetweb.core.buckets import STEPS, Resolution
from fleetweb.gateway import rollups
from fleetweb.gateway.models import RequestMetric, RollupSubject
from fleetweb.gateway.recorder import Entry, _commit
from fleetweb.gateway.series import Series, latency_series
from fleetweb.gateway.subjects import Subject, Subjects
from tests.gateway.asked_before import request

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 30, 20, tzinfo=UTC)
KING = Subject(RollupSubject.NODE, "king")
HOUR, DAY = STEPS[2], STEPS[3]


def asked(*rows: RequestMetric, counted: bool = True) -> None:
    _commit([Entry(row) for row in rows])
    while counted and rollups.catch_up():
        pass


def of_king(since: datetime, until: datetime, **more: object) -> Series:
    return latency_series([KING], since, until, **more)[KING]


def exact(values: list[float], q: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(1, math.ceil(q * len(values) / 100)) - 1]


SHAPES = {
    "even": lambda chance: chance.uniform(1, 60_000),
    "bell": lambda chance: abs(chance.gauss(3000, 800)) + 1,
    "long tail": lambda chance: chance.lognormvariate(7, 1.6) + 0.1,
    "heavy tail": lambda chance: chance.paretovariate(1.1) * 50,
    "two humps": lambda chance: chance.choice((chance.gauss(200, 9), chance.gauss(2e5, 9e3))),
    "all the same": lambda _: 1234.5,
}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("shape", SHAPES)
@given(number=st.integers(1, 150), seed=st.integers(0, 2**32))
def test_percentiles_are_within_two_and_a_half_percent_of_the_rows(shape, number, seed):
    chance = random.Random(seed)
    with transaction.atomic():
        rows = [
            request(
                NOW + timedelta(minutes=chance.choice((0, 1, 90))),
                latency_ms=SHAPES[shape](chance),
                ttft_ms=SHAPES[shape](chance),
                tokens_per_s=chance.uniform(0.5, 150),
            )
            for _ in range(number)
        ]
        asked(*rows)
        found = of_king(NOW, NOW + timedelta(hours=3), step=DAY).total
        latency = [row.latency_ms for row in rows]
        for q, told in ((50, found.p50_ms), (95, found.p95_ms), (99, found.p99_ms)):
            assert told == pytest.approx(exact(latency, q), rel=0.025)
        ttft = [row.ttft_ms for row in rows]
        assert found.ttft_p50_ms == pytest.approx(exact(ttft, 50), rel=0.025)
        gaps = [1000 / row.tokens_per_s for row in rows]
        assert found.tokens_per_s == pytest.approx(1000 / exact(gaps, 50), rel=0.025)
        transaction.set_rollback(True)


def test_every_step_tells_the_same_total():
    chance = random.Random(3)
    asked(*(request(NOW + timedelta(hours=chance.uniform(0, 20))) for _ in range(60)))
    totals = []
    for step in STEPS:
        total = of_king(NOW, NOW + timedelta(hours=26), step=step).total
        totals.append((total.count, total.prompt_tokens, total.p50_ms, total.p99_ms))
    assert len(set(totals)) == 1


def test_a_time_without_requests_is_a_point_without_figures():
    asked(request(NOW), request(NOW + timedelta(hours=2)))
    points = of_king(NOW, NOW + timedelta(hours=3), step=HOUR).points
    assert [point.count for point in points] == [1, 0, 1, 0]
    assert points[1].p50_ms is points[1].ttft_p50_ms is points[1].tokens_per_s is None
    assert points[1].cost_usd is points[1].energy_j is None


def test_one_request_is_every_percentile():
    asked(request(NOW, latency_ms=1234.5))
    total = of_king(NOW, NOW + timedelta(hours=1)).total
    assert (total.count, total.p50_ms, total.p95_ms, total.p99_ms) == (1, 1234.5, 1234.5, 1234.5)


def test_a_machine_nobody_asked_has_empty_points():
    series = of_king(NOW - timedelta(minutes=15), NOW)
    assert len(series.points) == 16
    assert {point.count for point in series.points} == {0}
    assert series.total.p50_ms is None


def test_what_ended_a_moment_ago_is_there_before_it_is_added_up():
    asked(request(NOW, latency_ms=100.0))
    asked(request(NOW, latency_ms=300.0), request(NOW, node="soldier1"), counted=False)
    total = of_king(NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)).total
    assert (total.count, total.p50_ms) == (2, pytest.approx(100, rel=0.02))
    assert total.p99_ms == pytest.approx(300, rel=0.02)


def test_one_model_of_a_machine_is_told_apart():
    asked(request(NOW, model="mlx/a", latency_ms=10.0), request(NOW, model="mlx/b"))
    subject = Subject(RollupSubject.NODE, "king", "mlx/a")
    total = latency_series([subject], NOW, NOW + timedelta(hours=1))[subject].total
    assert (total.count, total.p50_ms) == (1, 10.0)


def test_a_machine_keeps_what_it_did_under_the_name_it_had():
    asked(request(NOW, node="king"), request(NOW + timedelta(minutes=5), node="queen"))
    queen = Subject(RollupSubject.NODE, "queen")
    both = latency_series([KING, queen], NOW, NOW + timedelta(hours=1))
    assert [both[subject].total.count for subject in (KING, queen)] == [1, 1]


@pytest.mark.parametrize("many", [1, 16])
@pytest.mark.parametrize("length", [timedelta(minutes=15), timedelta(days=90)])
def test_it_takes_three_queries_however_much_there_is(many, length, django_assert_num_queries):
    subjects = [Subject(RollupSubject.NODE, f"soldier{n}") for n in range(many)]
    asked(*(request(NOW, node=subject.name) for subject in subjects))
    with django_assert_num_queries(3):
        found = latency_series(subjects, NOW - length, NOW + timedelta(minutes=1))
    assert [found[subject].total.count for subject in subjects] == [1] * many
    assert all(len(series.points) <= 400 for series in found.values())


@pytest.fixture
def berlin(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    timezone.get_default_timezone.cache_clear()
    yield ZoneInfo("Europe/Berlin")
    timezone.get_default_timezone.cache_clear()


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_a_day_on_which_the_clock_is_changed_has_all_its_hours(day, hours, berlin):
    begins = datetime(*day, tzinfo=berlin).astimezone(UTC)
    asked(*(request(begins + timedelta(hours=n, minutes=30)) for n in range(-1, hours + 1)))
    noon = begins + timedelta(hours=12)
    points = of_king(noon - timedelta(days=1), noon + timedelta(days=1), step=DAY).points
    assert [point.count for point in points] == [1, hours, 1]
    by_hour = of_king(begins, begins + timedelta(hours=hours), step=HOUR).points
    assert [point.count for point in by_hour] == [1] * hours
    assert points[1].at == begins


def test_days_kept_in_another_zone_are_still_told_once(berlin, settings):
    asked(*(request(NOW - timedelta(days=n)) for n in range(3)))
    settings.TIME_ZONE = "America/New_York"
    timezone.get_default_timezone.cache_clear()
    series = of_king(NOW - timedelta(days=4), NOW, step=DAY)
    assert series.total.count == 3
    assert [point.count for point in series.points] == [0, 0, 1, 1, 1]


def test_models_are_found_by_the_last_part_of_their_name():
    asked(request(NOW, model="mlx-community/Qwen3-235B"))
    known = Subjects.read()
    assert known.names(RollupSubject.MODEL) == ("mlx-community/Qwen3-235B",)
    assert known.full_model("qwen3-235b") == "mlx-community/Qwen3-235B"
    assert known.full_model("unheard-of") == "unheard-of"
    assert known.full_model("") == ""


def test_resolutions_are_minutes_hours_and_days():
    assert [resolution.value for resolution in Resolution] == [60, 3600, 86_400]
