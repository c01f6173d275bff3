"""Times as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fleetweb.core.when import when

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "ago"),
    [
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("90d", timedelta(days=90)),
        ("2w", timedelta(days=14)),
    ],
)
def test_so_long_ago(written, ago):
    assert when(written, NOW, BERLIN) == NOW - ago


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:00:00+01:00",
        "2026-11-20T11:00:00 01:00",
        "2026-11-20 11:00",
        "2026-11-20T11:00",
    ],
)
def test_a_time_with_and_without_a_zone(written):
    assert when(written, NOW, BERLIN) == datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["", "soon", "15", "-15m", "15x", "999999w", "0001-01-01", "9999-12-31", "١٥m"]
)
def test_what_cannot_be_read_is_refused(written):
    with pytest.raises(ValueError, match=r"too|Invalid"):
        when(written, NOW, BERLIN)
