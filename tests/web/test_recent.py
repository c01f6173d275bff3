"""Pages of the past tell for some seconds what was found, and no longer."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fleetweb.fleet.models import Node
from fleetweb.web.cards.history import recent
from fleetweb.web.cards.history.window import Window

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AN_HOUR = Window(NOON - timedelta(hours=1), NOON, "1h", is_live=True)
A_WEEK = Window(NOON - timedelta(days=7), NOON, "7d", is_live=True)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Told again for 2 and 12 s, on a clock that stands until it is moved."""
    recent.forget()
    now = [1000.0]
    monkeypatch.setattr(recent, "SOON_S", 2.0)
    monkeypatch.setattr(recent, "LATER_S", 12.0)
    monkeypatch.setattr(recent.time, "monotonic", lambda: now[0])
    yield now
    recent.forget()


def found(key, window=AN_HOUR, told=iter(range(1000))):  # noqa: B008  one count for all
    return recent.recent(key, window, lambda: str(next(told)))


def told(client, address):
    """What is shown, without what is new in every page, such as its tokens."""
    answer = client.get(address)
    return answer.context["told"] if answer.context else answer.content


def test_what_was_found_is_told_again_for_a_moment(clock):
    first = found("a")
    clock[0] += 1.9
    assert found("a") == first
    clock[0] += 0.2
    assert found("a") != first


def test_of_a_long_time_it_is_told_again_for_longer(clock):
    first = found("a", A_WEEK)
    clock[0] += 11.9
    assert found("a", A_WEEK) == first
    clock[0] += 0.2
    assert found("a", A_WEEK) != first


def test_other_questions_are_found_by_themselves():
    assert found("a") != found("b")


def test_only_so_many_are_kept():
    first = found("first")
    for number in range(recent.MOST):
        found(number)
    assert found("first") != first


def test_what_could_not_be_found_is_not_kept():
    def fails():
        raise LookupError

    with pytest.raises(LookupError):
        recent.recent("a", AN_HOUR, fails)
    assert found("a") is not None


def test_many_who_ask_at_once_wait_for_one_to_find_it():
    begun, asked, found = threading.Event(), [], []

    def find():
        found.append(begun.wait(5))
        return "it"

    def ask():
        asked.append(recent.recent("a", AN_HOUR, find))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join(5)
    assert (asked, found) == (["it"] * 8, [True])


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/history/?range=7d", "/history/?format=csv", "/nodes/king/"])
def test_who_asks_the_same_at_once_costs_the_database_little(client: Client, path):
    Node.objects.get_or_create(name="king")
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    first = client.get(path).content
    with CaptureQueriesContext(connection) as queries:
        assert len(client.get(path).content) == len(first)
    assert len(queries) <= 3  # the session, its user, and the machine


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/history/?range=7d", "/history/?range=30d"),
        ("/history/?by=model", "/history/?by=provider"),
        ("/history/?p=p50", "/history/?p=p99"),
        ("/history/?format=csv", "/history/?format=json"),
        ("/history/?from=2026-03-01", "/history/?from=2026-03-01&to=2026-03-02"),
        ("/history/?range=nonsense", "/history/?range=more+nonsense"),
        ("/nodes/king/", "/nodes/soldier1/"),
        ("/history/?pick=king", "/history/?pick=soldier1"),
    ],
)
def test_another_question_gets_its_own_answer(client: Client, one, other):
    for name in ("king", "soldier1"):
        Node.objects.get_or_create(name=name)
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    assert told(client, one) == told(client, one)
    assert told(client, one) != told(client, other)
