"""Time in equal pieces: what lies in which, and how days go where clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.buckets import STEPS, Resolution, at_of, start_s, starts, step_for

BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")
ZONES = st.sampled_from([ZoneInfo("UTC"), BERLIN, KOLKATA, ZoneInfo("America/Sao_Paulo")])
FIRST, LAST = datetime(2015, 1, 1), datetime(2029, 1, 1)  # noqa: DTZ001  hypothesis adds the zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
DAY = STEPS[-1]


def local(seconds: int, zone: ZoneInfo) -> str:
    return f"{at_of(seconds).astimezone(zone):%Y-%m-%d %H:%M}"


def test_a_day_begins_at_the_owners_midnight():
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert local(start_s(late, Resolution.DAY, BERLIN), BERLIN) == "2026-11-24 00:00"
    assert local(start_s(late, Resolution.DAY, KOLKATA), KOLKATA) == "2026-11-24 00:00"


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)]
)
def test_a_day_has_as_many_hours_as_it_has_on_the_wall(day, hours):
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN)
    begins_s, ends_s = starts(noon, noon + timedelta(minutes=1), DAY, BERLIN)
    assert ends_s - begins_s == hours * 3600
    assert local(begins_s, BERLIN) == f"{day} 00:00"


def test_a_day_whose_midnight_is_skipped_begins_when_the_clock_has_jumped():
    sao_paulo = ZoneInfo("America/Sao_Paulo")
    noon = datetime(2018, 11, 4, 12, tzinfo=sao_paulo)
    begins_s = start_s(noon, Resolution.DAY, sao_paulo)
    assert local(begins_s, sao_paulo) == "2018-11-04 01:00"
    assert local(begins_s - 1, sao_paulo) == "2018-11-03 23:59"


@given(at=MOMENTS, zone=ZONES, resolution=st.sampled_from(Resolution))
def test_every_moment_lies_in_its_bucket_and_a_bucket_begins_in_itself(at, zone, resolution):
    begins_s = start_s(at, resolution, zone)
    assert begins_s <= at.timestamp() < begins_s + resolution + 3600
    assert start_s(at_of(begins_s), resolution, zone) == begins_s


@given(
    since=MOMENTS,
    length=st.timedeltas(timedelta(0), timedelta(days=400)),
    zone=ZONES,
    step=st.sampled_from(STEPS),
)
def test_points_follow_each_other_without_a_gap_from_first_to_last(since, length, zone, step):
    until = min(since + length, since + timedelta(seconds=step.seconds * 50))
    grid = starts(since, until, step, zone)
    assert len(grid) >= 2
    assert grid[0] <= since.timestamp()
    assert grid[-1] >= until.timestamp()
    assert grid[-2] <= max(until.timestamp(), since.timestamp())
    assert all(0 < after - before <= step.seconds + 3600 for before, after in pairwise(grid))
    if step is DAY:
        assert all(start_s(at_of(begins), Resolution.DAY, zone) == begins for begins in grid)


@given(
    length=st.timedeltas(timedelta(minutes=1), timedelta(days=400)),
    series=st.integers(1, 40),
)
def test_a_series_has_no_more_points_and_needs_no_more_rows_than_it_may(length, series):
    since = datetime(2026, 1, 1, tzinfo=UTC)
    step = step_for(since, since + length, most_rows=3000, series=series)
    if step is not DAY:
        assert length.total_seconds() / step.seconds <= 400
        assert length.total_seconds() / step.source * series <= 3000


def test_the_step_is_as_fine_as_it_may_be():
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        step_for(since, since + timedelta(hours=hours), most_rows=3000).seconds
        for hours in (0.25, 6, 24, 7 * 24, 90 * 24)
    ]
    assert found == [60, 60, 300, 3600, 86_400]


def test_a_day_kept_in_another_zone_belongs_to_the_day_it_mostly_lies_in():
    here = [datetime(2026, 11, day, tzinfo=UTC) for day in (22, 24)]
    grid = starts(*here, DAY, BERLIN)
    midnight_in_utc = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    assert local(grid[DAY.place(midnight_in_utc, grid)], BERLIN) == "2026-11-23 00:00"
