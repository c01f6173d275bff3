"""However much there was, a page or an answer about the past takes the same number of queries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fleetweb.core.presence import CognitiveState
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from tests.web import pasts
from tests.web.pasts import LLAMA, asked, machine, remember, was

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
UNTIL = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
LENGTHS = (timedelta(minutes=15), timedelta(hours=6), timedelta(days=7), timedelta(days=90))


def _between(path: str, begin: str, end: str) -> list[str]:
    return [f"{path}{begin}={NOON - length:%Y-%m-%dT%H:%M:%SZ}&{end}={UNTIL}" for length in LENGTHS]


# The session and its user are two of them.
COSTS = {
    14: [
        *_between("/history/?", "from", "to"),
        *_between("/history/?by=model&", "from", "to"),
        *_between("/history/?by=provider&", "from", "to"),
        *_between("/history/?piece=now&", "from", "to"),
        *_between(f"/history/?model={LLAMA}&", "from", "to"),
        f"/replay/?at={UNTIL}",
    ],
    12: [
        *_between("/history/?format=csv&", "from", "to"),
        *_between("/history/?format=json&", "from", "to"),
        *_between("/history/?piece=table&table=king&", "from", "to"),
    ],
    15: _between("/nodes/king/?", "from", "to"),
    16: _between("/nodes/king/?by=model&", "from", "to"),
    5: [
        *_between("/api/nodes/king/latency?", "since", "until"),
        *_between(f"/api/nodes/king/latency?model={LLAMA}&", "since", "until"),
    ],
    6: ["/requests/", "/requests/?status=failed", f"/requests/?until={NOON:%Y-%m-%d}"],
    7: [
        "/requests/?node=king",
        "/requests/?provider=exo",
        "/requests/?slower_than=60&status=failed&door=king",
        "/requests/?fallback=yes&decision=fallback",
    ],
    3: ["/requests/req_first/", "/api/requests", "/api/requests/req_first"],
    4: [
        "/api/requests?worked=king",
        "/api/requests?status=failed&door=king",
        f"/api/requests?model={LLAMA}",
        "/api/requests?fallback=yes",
    ],
    11: [f"/api/replay?at={UNTIL}"],
}


@pytest.fixture
def owner(client: Client) -> Client:
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    return client


@pytest.fixture
def little() -> None:
    was(machine("king"), CognitiveState.IDLE, NOON - timedelta(hours=5), NOON + timedelta(hours=1))
    remember([asked("king", NOON - timedelta(minutes=3), id="req_first")])
    RoutingRecord.objects.create(request_id="req_first", decision="model_loaded")


@pytest.fixture
def more(little: None) -> Callable[[], None]:
    def happen() -> None:
        pasts.a_slow_hour(NOON, hours=3)
        for days in range(2, 80, 3):
            remember([asked("king", NOON - timedelta(days=days), status="failed")])
        late = asked("king", NOON - timedelta(minutes=1), attempts=2)
        RequestMetric.objects.bulk_create([late])  # not added up yet

    return happen


@pytest.mark.parametrize("queries", COSTS)
def test_it_costs_the_same_however_much_there_was(owner, more, queries):
    expected = dict.fromkeys(COSTS[queries], queries)
    assert {address: _cost(owner, address) for address in expected} == expected
    more()
    assert {address: _cost(owner, address) for address in expected} == expected


def _cost(owner: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked_of_database:
        response = owner.get(address, headers=HTMX if "piece=" in address else {})
    assert response.status_code == 200, address
    return len(asked_of_database)
