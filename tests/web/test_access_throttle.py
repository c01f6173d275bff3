"""Guessing is slowed down, by address, and by nothing but guessing."""

import pytest
from axes.handlers.cache import AxesCacheHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client

pytestmark = pytest.mark.django_db

TOKEN = settings.FLEETWEB_TOKEN
LIMIT = settings.AXES_FAILURE_LIMIT
SIX_MINUTES = "360"


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_too_many_wrong_tokens_in_addresses_lock_an_address_out(client):
    answers = [client.get(f"/?token=guess-{n}").status_code for n in range(LIMIT)]
    assert answers == [403] * (LIMIT - 1) + [429]
    response = client.get(f"/?token={TOKEN}")
    assert (response.status_code, response["Retry-After"]) == (429, SIX_MINUTES)
    assert "Wait 6 minutes" in response.content.decode()


@pytest.mark.parametrize("destination", ["image", "iframe", "empty"])
def test_a_page_that_embeds_addresses_with_wrong_tokens_locks_nobody_out(client, destination):
    embedded = {"Sec-Fetch-Dest": destination}
    answers = {client.get(f"/?token=guess-{n}", headers=embedded).status_code for n in range(LIMIT)}
    assert answers == {302}
    opened = client.get(f"/?token={TOKEN}", headers={"Sec-Fetch-Dest": "document"})
    assert (opened.status_code, opened["Location"]) == (302, "/")


def test_too_many_wrong_tokens_on_the_login_page_lock_an_address_out(client):
    for n in range(LIMIT):
        response = client.post("/login/", {"token": f"guess-{n}"})
    assert (response.status_code, response["Retry-After"]) == (429, SIX_MINUTES)
    assert client.post("/login/", {"token": TOKEN}).status_code == 429


def test_too_many_wrong_bearers_lock_an_address_out(client):
    for n in range(LIMIT):
        response = client.get("/api/thing", headers=bearer(f"guess-{n}"))
    assert (response.status_code, response["Retry-After"]) == (429, SIX_MINUTES)
    assert response.json()["error"]["code"] == "too_many_attempts"
    assert client.get("/api/thing", headers=bearer()).status_code == 429


def test_too_many_wrong_passwords_lock_a_name_out_at_one_address(client):
    User.objects.create_user("ada", password="lovelace")
    for n in range(LIMIT):
        client.post("/login/", {"username": "ada", "password": f"guess-{n}"})
    right = {"username": "ada", "password": "lovelace", "next": "/"}
    assert client.post("/login/", right).status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.7").post("/login/", right).status_code == 302
    assert client.post("/login/", {"token": TOKEN, "next": "/"}).status_code == 302


def test_another_address_is_not_locked_out(client):
    for n in range(LIMIT + 1):
        client.get(f"/?token=guess-{n}")
    assert Client(REMOTE_ADDR="192.0.2.7").get(f"/?token={TOKEN}").status_code == 302


def test_whoever_is_in_stays_in_when_their_address_is_locked_out(client):
    client.get(f"/?token={TOKEN}")
    stranger = Client()
    for n in range(LIMIT + 1):
        stranger.get(f"/?token=guess-{n}")
    assert client.get("/admin/").status_code == 200


def test_a_program_with_an_old_token_locks_nobody_out(client):
    for _ in range(3 * LIMIT):
        assert client.get("/api/thing", headers=bearer("yesterday's")).status_code == 401
    assert client.get("/admin/", headers=bearer()).status_code == 200


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time in seconds, by which tries are forgotten: in memory, for Redis goes by its own."""
    clock = [1_000_000.0]
    handler = AxesCacheHandler()
    handler.cache = LocMemCache("tries", {})
    monkeypatch.setattr(AxesProxyHandler, "implementation", handler)
    monkeypatch.setattr("django.core.cache.backends.locmem.time.time", lambda: clock[0])
    return clock


def test_trying_on_does_not_lengthen_the_wait(client, clock):
    for n in range(LIMIT):
        client.get(f"/?token=guess-{n}")
    clock[0] += 300
    assert client.get("/?token=one-more").status_code == 429
    clock[0] += 61
    assert client.get(f"/?token={TOKEN}").status_code == 302


def test_nothing_that_was_tried_is_stored(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/?token=guess")
        client.post("/login/", {"token": "guess"})
        client.post("/api/thing", {"prompt": "canary"}, headers=bearer("guess"))
