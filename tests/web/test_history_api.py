"""What programs are told of the past, who is told of what, and how wrong questions are answered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from fleetweb.core.roster import Role
from fleetweb.fleet import live
from fleetweb.fleet.models import Node
from fleetweb.gateway import rollups
from fleetweb.gateway.models import ApiKey, RequestMetric, RoutingRecord
from fleetweb.gateway.recorder import Entry, _commit
from fleetweb.web.access.owner import the_owner
from tests.gateway.asked_before import request

from . import samples

pytestmark = pytest.mark.django_db

LATELY = timedelta(minutes=10)
POINT = {"at", "count", "errors", "p50_ms", "p95_ms", "p99_ms", "ttft_p50_ms", "tokens_per_s"}


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(the_owner())
    return client


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return client


def asked(**figures: Any) -> RequestMetric:
    """A request of ten minutes ago, in the history and added up."""
    row = request(timezone.now() - LATELY, **figures)
    _commit([Entry(row)])
    rollups.catch_up()
    return row


def ids(client: Client, query: str = "") -> list[str]:
    return [row["id"] for row in client.get(f"/api/requests?{query}").json()["results"]]


def test_the_latency_of_a_machine_over_time(owner):
    asked(latency_ms=800.0, ttft_ms=90.0, tokens_per_s=25.0)
    told = owner.get("/api/nodes/king/latency?since=15m").json()
    points = [point for point in told["series"] if point["count"]]
    assert points[0].keys() >= POINT
    (point,) = points
    assert (point["count"], point["errors"], point["p50_ms"]) == (1, 0, 800.0)
    assert (point["p95_ms"], point["p99_ms"], point["ttft_p50_ms"]) == (800.0, 800.0, 90.0)
    assert point["tokens_per_s"] == pytest.approx(25)
    assert told["total"]["count"] == 1
    assert len(told["series"]) in (15, 16)


def test_the_latency_of_one_model_by_its_short_name(owner):
    asked(model="mlx-community/Llama-3.3-70B")
    asked(model="mlx-community/Qwen3-235B")
    told = owner.get("/api/nodes/king/latency?model=llama-3.3-70b").json()
    assert (told["model"], told["total"]["count"]) == ("mlx-community/Llama-3.3-70B", 1)


@pytest.mark.parametrize("since", ["15m", "24h", "7d", "90d", "400d"])
def test_a_machine_without_requests_has_a_series_that_says_so(owner, since):
    Node.objects.create(name="king", role=Role.KING)
    told = owner.get(f"/api/nodes/king/latency?since={since}").json()
    assert 0 < len(told["series"]) <= 402
    assert {point["count"] for point in told["series"]} == {0}
    assert {point["p50_ms"] for point in told["series"]} == {None}


def test_a_machine_nobody_knows_is_not_found(owner):
    answer = owner.get("/api/nodes/nobody/latency")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "There is no machine called nobody."


def test_a_model_nobody_knows_is_not_found(owner):
    asked(model="mlx-community/Llama-3.3-70B")
    answer = owner.get("/api/nodes/king/latency?model=nobody")
    assert answer.status_code == 404
    fault = answer.json()["error"]
    assert (fault["type"], fault["code"]) == ("not_found_error", "unknown_model")
    assert fault["message"] == "Nobody knows a model called nobody here."


def test_a_model_that_has_answered_elsewhere_has_a_series_here_too(owner):
    asked(model="mlx-community/Llama-3.3-70B")
    asked(model="mlx-community/Qwen3-235B", node="soldier1", nodes=["soldier1"])
    told = owner.get("/api/nodes/king/latency?model=qwen3-235b").json()
    assert (told["model"], told["total"]["count"]) == ("mlx-community/Qwen3-235B", 0)


def test_a_model_that_is_there_now_has_a_series_before_it_has_answered(owner, monkeypatch):
    monkeypatch.setattr(live, "seen", samples.busy)
    asked()
    model = next(share.model_id for node in samples.busy().nodes for share in node.shares)
    told = owner.get(f"/api/nodes/king/latency?model={model.rsplit('/')[-1].upper()}").json()
    assert (told["model"], told["total"]["count"]) == (model, 0)


def test_a_clock_that_is_a_little_ahead_may_ask_for_what_is_new(owner):
    since = (timezone.now() + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert owner.get(f"/api/requests?since={since}").json()["results"] == []


@pytest.mark.parametrize(
    ("address", "name", "wants"),
    [
        ("/api/nodes/king/latency?since=soon", "since", "15m, 24h, 7d, 90d"),
        ("/api/nodes/king/latency?until=soon", "until", "15m, 24h, 7d, 90d"),
        ("/api/nodes/king/latency?since=1h&until=2h", "since", "before `until`"),
        ("/api/nodes/king/latency?since=2020-01-01", "since", "400 days"),
        ("/api/nodes/king/latency?since=2100-01-01&until=2100-01-02", "since", "the future"),
        ("/api/nodes/king/latency?since=2100-01-01", "since", "the future"),
        ("/api/requests?since=2100-01-01", "since", "the future"),
        ("/api/requests?limit=0", "limit", "from 1 to 200"),
        ("/api/requests?limit=201", "limit", "from 1 to 200"),
        ("/api/requests?limit=ten", "limit", "from 1 to 200"),
        ("/api/requests?before=yesterday", "before", "`next`"),
        ("/api/requests?status=lost", "status", "waiting, running, ok, failed"),
        ("/api/requests?decision=luck", "decision", "model_loaded"),
        ("/api/requests?cached=perhaps", "cached", "true or false"),
        ("/api/requests?slower_than_ms=-1", "slower_than_ms", "milliseconds"),
        ("/api/requests?slower_than_ms=nan", "slower_than_ms", "milliseconds"),
        ("/api/requests?key=nobody", "key", "the name of an API key"),
        ("/api/requests?since=0000", "since", "15m, 24h, 7d, 90d"),
    ],
)
def test_what_cannot_be_understood_is_named(owner, address, name, wants):
    asked()
    answer = owner.get(address)
    assert answer.status_code == 400
    fault = answer.json()["error"]
    assert fault["type"] == "invalid_request_error"
    assert fault["message"].startswith(f"`{name}` wants ")
    assert wants in fault["message"]


def test_requests_are_told_newest_first_page_by_page(owner):
    rows = [request(timezone.now() - timedelta(minutes=n)) for n in range(7)]
    same_time = request(rows[-1].asked_at, id="req_zzz")
    _commit([Entry(row) for row in (*rows, same_time)])
    found, before = [], ""
    while True:
        told = owner.get(f"/api/requests?limit=3&before={before}").json()
        found += [row["id"] for row in told["results"]]
        before = told["next"]
        if before is None:
            break
    newest_first = sorted((*rows, same_time), key=lambda row: (row.asked_at, row.pk), reverse=True)
    assert found == [row.pk for row in newest_first]


def test_a_page_stays_where_it_is_while_requests_come_in(owner):
    for n in range(4):
        asked(id=f"req_a{n}", ended_at=None)
    told = owner.get("/api/requests?limit=2").json()
    _commit([Entry(request(timezone.now()))])
    rest = owner.get(f"/api/requests?limit=2&before={told['next']}").json()
    assert [row["id"] for row in told["results"] + rest["results"]] == [
        "req_a3",
        "req_a2",
        "req_a1",
        "req_a0",
    ]


@pytest.mark.parametrize(
    ("query", "figures"),
    [
        ("node=soldier1", {"node": "soldier1"}),
        ("door=soldier1", {"node": "soldier1"}),
        ("worked=soldier1", {"nodes": ["king", "soldier1"]}),
        ("model=qwen3-235b", {"model": "mlx/Qwen3-235B"}),
        ("provider=claude", {"provider": "claude", "node": ""}),
        ("provider=exo&node=soldier1", {"node": "soldier1"}),
        ("status=failed", {"status": "failed"}),
        ("status=interrupted", {"status": "interrupted"}),
        ("status=running", {"status": "running"}),
        ("cached=true", {"cached": True}),
        ("slower_than_ms=5000", {"latency_ms": 5001.0}),
        ("fallback=true", {"attempts": 2}),
        ("caller=ada", {"caller": "ada"}),
    ],
)
def test_only_what_matches_is_told(owner, query, figures):
    asked()
    wanted = asked(**figures)
    assert ids(owner, query) == [wanted.pk]


def test_a_time_from_and_to_bounds_what_is_told(owner):
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    rows = [request(at + timedelta(hours=n)) for n in range(3)]
    _commit([Entry(row) for row in rows])
    found = ids(owner, "since=2026-11-20T11:00:00Z&until=2026-11-20T12:00:00%2B00:00")
    assert found == [rows[1].pk]


def test_one_request_is_told_with_the_reasons_for_its_route(owner):
    row = asked()
    candidate = {"node": "king", "node_endpoint": "http://me:secret@king:52415", "score": 1.0}
    attempt = {"provider": "exo", "endpoint": "http://me:secret@king:52415", "error": None}
    RoutingRecord.objects.create(
        request=row,
        decision="model_loaded",
        strategy="model_affinity",
        reason="model_loaded: king has it.",
        node_endpoint="http://me:secret@king:52415",
        candidates=[candidate],
        attempts=[attempt],
    )
    answer = owner.get(f"/api/requests/{row.pk}")
    told = answer.json()["routing"]
    assert told["reason"] == "model_loaded: king has it."
    assert told["candidates"][0]["score"] == 1.0
    assert told["attempts"][0]["provider"] == "exo"
    assert "secret" not in answer.content.decode()
    assert ids(owner, "decision=model_loaded") == [row.pk]


def test_a_request_that_was_never_routed_has_no_routing(owner):
    told = owner.get(f"/api/requests/{asked().pk}").json()
    assert told["routing"] is None
    assert told["decision"] is None


def test_others_are_told_of_their_own_requests_alone(ada, owner):
    theirs, mine = asked(caller="owner"), asked(caller="ada")
    assert ids(ada) == [mine.pk]
    assert ids(ada, "caller=owner") == [mine.pk]
    assert ids(owner) == [mine.pk, theirs.pk]
    assert ada.get(f"/api/requests/{mine.pk}").status_code == 200
    assert ada.get(f"/api/requests/{theirs.pk}").status_code == 404
    assert ada.get("/api/requests/req_nothing").status_code == 404


def test_a_key_is_told_of_what_was_asked_with_it(ada):
    key, secret = ApiKey.objects.issue("ada")
    by_key, by_person = asked(caller="ada", key=key), asked(caller="ada")
    program = Client(headers={"authorization": f"Bearer {secret}"})
    assert ids(program) == [by_key.pk]
    assert ids(program, "key=owner") == [by_key.pk]
    assert ids(ada) == [by_person.pk]
    assert program.get(f"/api/requests/{by_person.pk}").status_code == 404


@pytest.mark.parametrize("number", [1, 30])
def test_it_takes_as_many_queries_however_much_there_is(owner, number, django_assert_num_queries):
    rows = [request(timezone.now() - timedelta(minutes=n)) for n in range(number)]
    _commit([Entry(row, RoutingRecord(request_id=row.pk)) for row in rows])
    rollups.catch_up()
    session_and_user = 2
    with django_assert_num_queries(session_and_user + 1):
        owner.get("/api/requests?limit=50")
    with django_assert_num_queries(session_and_user + 1):
        owner.get(f"/api/requests/{rows[0].pk}")
    with django_assert_num_queries(session_and_user + 3):
        owner.get("/api/nodes/king/latency?since=90d")


def test_strangers_are_told_nothing():
    for address in ("/api/requests", "/api/requests/req_1", "/api/nodes/king/latency"):
        assert Client().get(address).status_code == 401
