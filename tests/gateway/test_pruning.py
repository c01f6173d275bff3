"""Requests go when they are old; what they added up to stays."""

from datetime import UTC, datetime, timedelta

import pytest

from fleetweb.core.buckets import Resolution
from fleetweb.gateway import pruning, rollups
from fleetweb.gateway.models import RequestMetric, Rollup, RollupSubject, RoutingRecord
from fleetweb.gateway.recorder import Entry, _commit
from tests.gateway.asked_before import request

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ten_days(settings):
    settings.FLEETWEB_RETENTION_DAYS = 10


def days_ago(days: float, **figures: object) -> RequestMetric:
    return request(NOW - timedelta(days=days), **figures)


def kept(resolution: Resolution) -> int:
    rows = Rollup.objects.filter(resolution=resolution, subject__scope=RollupSubject.ALL)
    return sum(row.count for row in rows)


def test_old_rows_and_their_minutes_go_and_hours_and_days_stay():
    rows = [days_ago(1), days_ago(9.9), days_ago(11), days_ago(40)]
    _commit([Entry(row, RoutingRecord(request_id=row.pk)) for row in rows])
    rollups.catch_up()
    assert not pruning.prune(NOW)
    assert set(RequestMetric.objects.all()) == set(rows[:2])
    assert RoutingRecord.objects.count() == 2
    assert [kept(resolution) for resolution in Resolution] == [2, 4, 4]


def test_what_is_old_and_not_counted_waits_until_it_is():
    _commit([Entry(days_ago(40))])
    pruning.prune(NOW)
    assert RequestMetric.objects.count() == 1
    rollups.catch_up()
    pruning.prune(NOW)
    assert not RequestMetric.objects.exists()
    assert kept(Resolution.DAY) == 1


def test_it_goes_in_small_steps(monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 4)
    _commit([Entry(days_ago(20 + n / 100)) for n in range(10)])
    rollups.catch_up()
    left = []
    while pruning.prune(NOW):
        left.append(RequestMetric.objects.count())
    assert left[:2] == [6, 2]
    assert not RequestMetric.objects.exists()
    assert kept(Resolution.HOUR) == 10


def test_adding_up_anew_leaves_days_alone_of_which_rows_are_gone():
    _commit([Entry(days_ago(days)) for days in (1, 11, 12)])
    rollups.catch_up()
    pruning.prune(NOW)
    days = list(rollups.rebuild(NOW - timedelta(days=30), NOW))
    assert sum(counted for _, counted in days) == 1
    assert min(day for day, _ in days) >= pruning.kept_from(NOW)
    assert kept(Resolution.DAY) == 3


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_no_day_that_is_kept_has_lost_requests(zone, settings):
    from django.utils import timezone

    settings.TIME_ZONE = zone
    timezone.get_default_timezone.cache_clear()
    try:
        edge = pruning.kept_from(NOW)
        assert edge.minute == edge.second == 0
        midnight = edge.astimezone(timezone.get_default_timezone()) + timedelta(minutes=59)
        assert midnight.hour == 0 or edge.astimezone(midnight.tzinfo).hour == 0
        assert NOW - edge >= timedelta(days=10)
    finally:
        timezone.get_default_timezone.cache_clear()
