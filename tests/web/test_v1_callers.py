"""Who asks at `/v1`, what they may wish, and how long they are believed."""

import json

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.core.openai import InvalidRequest
from fleetweb.gateway.caller import Caller, Reach
from fleetweb.gateway.models import ApiKey
from fleetweb.web.access.owner import OWNER
from fleetweb.web.v1 import callers
from fleetweb.web.v1.application import application
from fleetweb.web.v1.callers import Identity, caller_of, forget, who

ADA = Identity("ada")
HOUSEBOUND = Identity("porch", key_id=7, has_limits=True, local_only=True)


def test_without_wishes_everything_is_as_the_owner_set_it():
    assert caller_of(ADA, {}) == Caller("ada")


def test_a_key_is_told_apart_from_a_person():
    caller = caller_of(HOUSEBOUND, {})
    assert (caller.name, caller.key_id, caller.has_limits) == ("porch", 7, True)


@pytest.mark.parametrize(
    ("wish", "reach"), [("none", Reach.NONE), (" Local ", Reach.LOCAL), ("any", Reach.ANY)]
)
def test_a_caller_says_how_far_a_request_may_go(wish, reach):
    assert caller_of(ADA, {"x-fleetweb-fallback": wish}).reach is reach


@pytest.mark.parametrize(
    ("wishes", "reach"),
    [
        ({}, Reach.LOCAL),
        ({"x-fleetweb-fallback": "any"}, Reach.LOCAL),
        ({"x-fleetweb-fallback": "none"}, Reach.NONE),
    ],
)
def test_a_key_that_stays_in_the_house_cannot_wish_itself_out(wishes, reach):
    assert caller_of(HOUSEBOUND, wishes).reach is reach


def test_a_caller_chooses_the_strategy():
    caller = caller_of(ADA, {"x-fleetweb-strategy": "least_loaded"})
    assert caller.strategy is LoadBalanceStrategy.LEAST_LOADED


@pytest.mark.parametrize("name", ["X-Fleetweb-Fallback", "X-Fleetweb-Strategy"])
def test_a_wish_that_nobody_knows_is_refused_by_name(name):
    with pytest.raises(InvalidRequest, match=f"{name} must be one of") as raised:
        caller_of(ADA, {name.lower(): ""})
    assert raised.value.param == name


@pytest.mark.parametrize(
    ("directives", "skips"),
    [("no-cache", True), ("max-age=0, No-Store", True), ("max-age=60", False), ("", False)],
)
def test_a_fresh_answer_is_given_to_who_wants_one(directives, skips):
    assert caller_of(ADA, {"cache-control": directives}).skips_cache is skips


# --- believing ------------------------------------------------------------------------------------


def scope(token: str) -> tuple[dict[str, object], dict[str, str]]:
    headers = {"host": "localhost", "authorization": f"Bearer {token}"}
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/v1/x", "headers": sent}, headers


@pytest.fixture
def _fresh():
    forget(User)
    yield
    forget(User)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_fresh")
class TestBelieving:
    async def test_the_owner_is_known_by_the_token(self):
        assert await who(*scope(settings.FLEETWEB_TOKEN)) == Identity(OWNER)

    async def test_a_program_is_known_by_its_key(self):
        key, secret = await _issued(local_only=True, requests_per_minute=3)
        assert await who(*scope(secret)) == Identity("porch", key.pk, True, True)

    async def test_a_stranger_is_nobody_and_is_not_remembered(self):
        assert await who(*scope("wrong")) is None
        assert callers._believed == {}

    async def test_a_good_token_is_believed_for_a_moment(self):
        _, secret = await _issued()
        first = await who(*scope(secret))
        await User.objects.all().aupdate(is_active=False)  # as another process would
        assert await who(*scope(secret)) == first

    async def test_and_no_longer(self, monkeypatch):
        monkeypatch.setattr(callers, "BELIEVED_FOR_S", 0.0)
        _, secret = await _issued()
        assert await who(*scope(secret))
        await User.objects.all().aupdate(is_active=False)
        assert await who(*scope(secret)) is None

    async def test_a_key_that_is_revoked_here_is_out_at_once(self):
        key, secret = await _issued()
        assert await who(*scope(secret))
        await _in_thread(key.revoke, timezone.now())
        assert await who(*scope(secret)) is None

    async def test_a_name_that_is_not_ours_is_not_let_in_by_belief(self):
        assert await who(*scope(settings.FLEETWEB_TOKEN))
        asked, headers = scope(settings.FLEETWEB_TOKEN)
        asked["headers"] = [(b"host", b"evil.example"), *asked["headers"][1:]]
        assert await who(asked, {**headers, "host": "evil.example"}) is None

    async def test_who_guesses_is_told_to_wait_and_not_that_the_token_is_wrong(self):
        answers = [await _answered(f"guess-{n}") for n in range(settings.AXES_FAILURE_LIMIT)]
        assert [status for status, *_ in answers] == [401] * (len(answers) - 1) + [429]
        status, headers, error = await _answered(settings.FLEETWEB_TOKEN)
        assert (status, headers["retry-after"]) == (429, "360")
        assert error["code"] == "too_many_attempts"
        assert error["type"] == "rate_limit_error"
        assert "Wait 6 minutes" in error["message"]


async def _answered(token):
    """Status, headers and error of a request for the models."""
    asked, _ = scope(token)
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    await application({**asked, "method": "GET", "path": "/v1/models"}, receive, send)
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, json.loads(body["body"])["error"]


async def _issued(**limits):
    return await _in_thread(lambda: ApiKey.objects.issue("porch", **limits))


async def _in_thread(work, *arguments):
    return await database_sync_to_async(work)(*arguments)
