"""What has long been over is read once in a while, and says what reading all of it says."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from fleetweb.core.buckets import STEPS
from fleetweb.fleet import sample_rollups, settled
from fleetweb.fleet import series as of_machines
from fleetweb.fleet.models import Node, NodeSample
from fleetweb.gateway import answers, rollup_models, rollups, series
from fleetweb.gateway.models import RollupSubject
from fleetweb.gateway.recorder import Entry, _commit
from fleetweb.gateway.subjects import Subject, Subjects
from tests.gateway.asked_before import request

pytestmark = pytest.mark.django_db

really = settled.places
NOW = datetime(2026, 11, 23, 14, 30, 20, tzinfo=UTC)
KING = Subject(RollupSubject.NODE, "king")
MINUTE, HOUR, DAY = STEPS[0], STEPS[2], STEPS[3]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It is NOW; the clock by which things are read again stands until it is moved."""
    seconds = [10_000.0]
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    monkeypatch.setattr(settled.time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(settled, "places", really)
    forget()
    yield seconds
    forget()


def forget():
    series._settled.forget()
    answers._settled.forget()
    of_machines._settled.forget()


def asked(*ages: timedelta):
    _commit([Entry(request(NOW - age)) for age in ages])
    while rollups.catch_up():
        pass


def told(days, step):
    """How many requests each point has, for charts and for what stands out."""
    since = NOW - timedelta(days=days)
    (of_king,) = series.latency_series([KING], since, NOW, step).values()
    known = Subjects.read()
    (compared,) = answers.answers(known.pairs(), since, NOW, step, known)
    drawn = [point.count for point in of_king.points]
    assert drawn == [slot.count for slot in compared.slots]
    assert of_king.total.count == sum(drawn)
    return drawn


@pytest.mark.parametrize(("days", "step"), [(90, DAY), (7, HOUR), (3, HOUR), (1, MINUTE)])
def test_it_says_what_reading_all_of_it_says(monkeypatch, days, step):
    asked(*(timedelta(hours=7 * number) for number in range(1, 24 * days // 7 + 1)))
    pieced = told(days, step)
    monkeypatch.setattr(settled, "places", lambda *_: 0)
    assert told(days, step) == pieced
    assert sum(pieced) > 2


@pytest.mark.parametrize(("days", "step"), [(90, DAY), (7, HOUR), (1, MINUTE)])
def test_of_machines_too(monkeypatch, days, step):
    king = Node.objects.create(name="king")
    ages = [timedelta(hours=7 * number) for number in range(1, 24 * days // 7 + 1)]
    ats = [(NOW - age, age.total_seconds() % 97) for age in ages]
    seen = [NodeSample(node=king, at=at, state="idle", intensity=i) for at, i in ats]
    sample_rollups.add(NodeSample.objects.bulk_create(seen))

    def read():
        found = of_machines.readings({king.pk: "king"}, NOW - timedelta(days=days), NOW, step)
        return [(reading.at, reading.samples, reading.intensity) for reading in found["king"]]

    pieced = read()
    monkeypatch.setattr(settled, "places", lambda *_: 0)
    assert read() == pieced
    assert sum(samples for _, samples, _ in pieced) == len(ages)


def test_days_that_were_kept_in_another_zone_stay_where_they_were(monkeypatch):
    """They begin beside the midnights of the owner's present zone, and belong to the next day."""
    with override_settings(TIME_ZONE="Asia/Tokyo"):
        asked(*(timedelta(days=number, hours=3) for number in range(1, 20)))
    pieced = told(12, DAY)
    monkeypatch.setattr(settled, "places", lambda *_: 0)
    assert told(12, DAY) == pieced
    assert sum(pieced) > 9


def test_nothing_is_remembered_longer_than_it_is_told(clock):
    asked(timedelta(days=40))
    for days in range(30, 60):
        told(days, DAY)
    assert len(series._settled._kept) <= settled.MOST
    clock[0] += settled.COARSE.again_s
    told(90, DAY)
    assert len(series._settled._kept) == 1


def test_what_is_settled_is_not_read_again_at_once():
    asked(timedelta(days=40), timedelta(hours=1))
    told(90, DAY)
    with CaptureQueriesContext(connection) as queries:
        told(90, DAY)
    begins = [re.search(r'"start_s" >= (\d+)', query["sql"]) for query in queries]
    assert [int(found[1]) >= NOW.timestamp() - 4 * 86_400 for found in begins if found] == [
        True
    ] * 2


@pytest.mark.parametrize("age", [timedelta(minutes=5), timedelta(hours=3), timedelta(days=40)])
def test_what_is_added_up_meanwhile_is_not_told_twice(monkeypatch, age):
    asked(age, timedelta(days=80))
    _commit([Entry(request(NOW - age))])
    read = rollup_models.RollupQuerySet.between

    def read_and_add_up(*args):
        rollups.catch_up()
        return read(*args)

    monkeypatch.setattr(rollup_models.RollupQuerySet, "between", read_and_add_up)
    assert sum(told(90, DAY)) == 3


def test_what_changes_there_is_told_within_minutes(clock):
    asked(timedelta(days=40))
    assert sum(told(90, DAY)) == 1
    asked(timedelta(days=40, minutes=5))
    assert sum(told(90, DAY)) == 1
    clock[0] += settled.COARSE.again_s
    assert sum(told(90, DAY)) == 2


def test_what_changes_in_the_last_days_is_told_at_once():
    asked(timedelta(days=40))
    told(90, DAY)
    asked(timedelta(hours=30), timedelta(seconds=5))
    assert sum(told(90, DAY)) == 3


def test_of_minutes_the_last_hour_is_told_at_once_and_more_within_a_minute(clock):
    quarter = 0.25  # of a day: the last six hours
    asked(timedelta(hours=3))
    assert sum(told(quarter, MINUTE)) == 1
    asked(timedelta(hours=3, minutes=1), timedelta(minutes=50))
    assert sum(told(quarter, MINUTE)) == 2
    clock[0] += settled.FINE.again_s
    assert sum(told(quarter, MINUTE)) == 3


def test_of_a_time_long_past_the_last_point_is_read_anew():
    """The last point of what is shown may end in the middle of a bucket."""
    grid = [0, 3600, 7200, 10_800]
    assert really(grid, HOUR) == 2
    assert really([int(NOW.timestamp()), int(NOW.timestamp()) + 60], MINUTE) == 0
