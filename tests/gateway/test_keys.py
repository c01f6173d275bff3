"""Keys: what is kept of them, what they open, and how they are shut."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.models import ProtectedError
from django.db.models.signals import post_save
from django.test import Client

from fleetweb.gateway.caller import Reach
from fleetweb.gateway.key_models import ApiKey, digest_of
from fleetweb.web.access.keys import ApiKeyBackend, is_key
from fleetweb.web.access.owner import is_owner
from fleetweb.web.access.sockets import STRANGER, SocketAccess, user_of_scope
from fleetweb.web.v1.callers import Identity, caller_of, identity_of
from tests.sockets import Socket

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
HOST = "localhost:8000"


@pytest.fixture
def issued() -> tuple[ApiKey, str]:
    return ApiKey.objects.issue("laptop")


@pytest.fixture
def secret(issued) -> str:
    return issued[1]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


# --- what is kept ---------------------------------------------------------------------------------


def test_a_secret_is_long_and_never_the_same():
    secrets = {ApiKey.objects.issue(f"key {n}")[1] for n in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("fw-") and len(secret) == 46 for secret in secrets)


def test_of_a_secret_only_its_digest_and_its_first_characters_are_kept(issued):
    key, secret = issued
    assert key.digest == digest_of(secret)
    assert key.shown == secret[:10]
    assert secret not in serializers.serialize("json", [key, key.user])


def test_a_key_has_a_user_of_its_own_who_may_do_nothing(issued):
    user = issued[0].user
    assert (user.username, user.is_staff, user.is_superuser) == ("key:laptop", False, False)
    assert not user.has_usable_password()
    assert not is_owner(user)


@pytest.mark.parametrize("name", ["a", "Ada 2", "CI 2.0_x-y@den+1", "Küche", "x" * 100])
def test_a_name_reads_well(name):
    assert ApiKey.objects.issue(f" {name} ")[0].name == name


@pytest.mark.parametrize("name", ["", "  ", "-x", "a/b", "a\nb", "<b>", "key:a", "x" * 101])
def test_a_bad_name_makes_nothing(name):
    with pytest.raises(ValidationError) as refused:
        ApiKey.objects.issue(name)
    assert list(refused.value.message_dict) == ["name"]
    assert not User.objects.exists()


def test_a_name_is_taken_once_even_after_its_key_was_revoked(issued):
    issued[0].revoke(NOW)
    with pytest.raises(ValidationError, match="There is a key of that name, in use or revoked"):
        ApiKey.objects.issue("laptop")
    assert User.objects.count() == 1


def test_of_two_who_take_a_name_at_once_one_is_told_that_it_is_taken(monkeypatch, issued):
    monkeypatch.setattr(ApiKey, "full_clean", lambda *_, **__: None)  # it was free a moment ago
    with pytest.raises(ValidationError, match="There is a key of that name"):
        ApiKey.objects.issue("laptop")
    assert (ApiKey.objects.count(), User.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("requests_per_minute", 0),
        ("requests_per_minute", -1),
        ("tokens_per_day", 0),
        ("usd_per_month", Decimal("0")),
        ("usd_per_month", Decimal("-3")),
        ("usd_per_month", Decimal("0.00001")),
    ],
)
def test_a_limit_of_nothing_is_none(limit, value):
    with pytest.raises(ValidationError) as refused:
        ApiKey.objects.issue("laptop", **{limit: value})
    assert list(refused.value.message_dict) == [limit]


def test_only_limits_on_use_have_to_be_counted():
    assert not ApiKey(local_only=True).has_limits
    for limit in ("requests_per_minute", "tokens_per_day", "usd_per_month"):
        assert ApiKey(**{limit: 1}).has_limits


def test_a_key_outlives_whoever_would_delete_its_user(issued):
    with pytest.raises(ProtectedError):
        issued[0].user.delete()


# --- who it lets in -------------------------------------------------------------------------------


def test_a_bearer_is_known_with_its_key_in_one_question(issued, django_assert_num_queries):
    key, secret = issued
    key.touch(datetime.now(UTC))
    with django_assert_num_queries(1):
        user = ApiKeyBackend().authenticate(None, bearer_token=secret)
        assert isinstance(user, User)
        assert is_key(user)
        assert identity_of(user) == Identity("laptop", key.pk)


def test_people_have_no_key(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert identity_of(User(username="ada")) == Identity("ada")


@pytest.mark.parametrize("credential", ["token", "password", "secret"])
def test_a_key_is_taken_as_a_bearer_and_as_nothing_else(secret, credential):
    given = {"username": "key:laptop", credential: secret}
    assert ApiKeyBackend().authenticate(None, **given) is None


def test_a_digest_is_no_secret(issued):
    assert ApiKeyBackend().authenticate(None, bearer_token=issued[0].digest) is None
    assert ApiKeyBackend().authenticate(None, bearer_token=issued[0].shown) is None


def test_its_use_is_written_down_once_a_minute(issued, django_assert_num_queries):
    key, _ = issued
    key.touch(NOW)
    with django_assert_num_queries(0):
        key.touch(NOW + timedelta(seconds=59))
    assert ApiKey.objects.get().last_used_at == NOW
    key.touch(NOW + timedelta(seconds=60))
    assert ApiKey.objects.get().last_used_at == NOW + timedelta(seconds=60)


# --- what it opens --------------------------------------------------------------------------------


def test_it_opens_what_programs_ask_for(client, secret):
    assert client.get("/api/presence", headers=bearer(secret)).status_code == 200
    assert client.get("/metrics", headers=bearer(secret)).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/", "/keys/", "/admin/", "/login/", "/logout/", "/healthz", "/no/such/page", "/metrics/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_opens_no_page(client, secret, method, address):
    response = client.generic(method, address, headers=bearer(secret))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (403, "not_for_keys")
    assert "/v1, /api and /metrics" in error["message"]


def test_it_is_no_token_in_an_address_or_on_the_login_page(client, secret):
    assert client.get(f"/?token={secret}").status_code == 403
    page = client.post("/login/", {"token": secret})
    assert (page.status_code, "refusal" in page.content.decode()) == (200, True)
    assert client.get("/").status_code == 302


def test_a_session_in_the_name_of_a_key_counts_for_nothing(client, issued):
    client.force_login(issued[0].user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/").status_code == 302
    assert client.get("/api/presence").status_code == 401


@pytest.mark.django_db(transaction=True)
async def test_it_opens_no_socket_but_lets_a_program_in_beside_django():
    _, secret = await database_sync_to_async(ApiKey.objects.issue)("laptop")
    sent = [(b"host", HOST.encode()), (b"authorization", f"Bearer {secret}".encode())]
    socket = Socket(SocketAccess(_accept), "/ws/presence/", headers=sent)
    assert await socket.connect() == (False, STRANGER)
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": sent}
    user = await user_of_scope(scope)
    assert user is not None
    assert user.username == "key:laptop"
    assert await user_of_scope({**scope, "path": "/keys/"}) is None


@pytest.mark.django_db(transaction=True)
async def test_a_session_in_the_name_of_a_key_opens_nothing_beside_django_either():
    key, _ = await database_sync_to_async(ApiKey.objects.issue)("laptop")
    client = Client()
    backend = "django.contrib.auth.backends.ModelBackend"
    await database_sync_to_async(client.force_login)(key.user, backend=backend)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    sent = [(b"host", HOST.encode()), (b"cookie", cookie.encode())]
    scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": sent}
    assert await user_of_scope(scope) is None


async def _accept(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


def test_a_key_for_the_house_can_not_wish_itself_out_of_it():
    user = ApiKey.objects.issue("laptop", local_only=True)[0].user
    reaches = [
        caller_of(identity_of(user), headers).reach
        for headers in ({}, {"x-fleetweb-fallback": "any"}, {"x-fleetweb-fallback": "none"})
    ]
    assert reaches == [Reach.LOCAL, Reach.LOCAL, Reach.NONE]


def test_the_admin_shows_no_digest_and_deletes_no_key(admin_client, issued):
    key, _ = issued
    page = admin_client.get(f"/admin/gateway/apikey/{key.pk}/change/").content.decode()
    assert key.shown in page
    assert key.digest not in page
    assert admin_client.get(f"/admin/gateway/apikey/{key.pk}/delete/").status_code == 403


# --- how it is shut -------------------------------------------------------------------------------


def test_a_revoked_key_is_shut_at_once(client, issued):
    key, secret = issued
    assert client.get("/api/presence", headers=bearer(secret)).status_code == 200
    assert key.revoke(NOW)
    response = client.get("/api/presence", headers=bearer(secret))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_token")
    assert "API key in use" in response.json()["error"]["message"]


def test_revoking_twice_changes_nothing(issued):
    key, _ = issued
    assert key.revoke(NOW)
    assert not key.revoke(NOW + timedelta(days=1))
    assert ApiKey.objects.get().revoked_at == NOW


def test_whoever_hears_that_it_was_revoked_finds_it_shut(issued):
    key, secret = issued
    found: list[ApiKey | None] = []

    def hear(**_told: object) -> None:
        found.append(ApiKey.objects.find(secret))

    post_save.connect(hear, sender=User)
    try:
        key.revoke(NOW)
    finally:
        post_save.disconnect(hear, sender=User)
    assert found == [None]


def test_a_key_whose_user_was_switched_off_is_shut(client, issued):
    key, secret = issued
    User.objects.filter(pk=key.user_id).update(is_active=False)
    assert client.get("/api/presence", headers=bearer(secret)).status_code == 401


# --- where its secret is not ----------------------------------------------------------------------


def test_the_secret_is_in_no_table_no_log_and_no_list(client, caplog):
    caplog.set_level(logging.DEBUG)
    key, secret = ApiKey.objects.issue("laptop")
    client.get("/api/presence", headers=bearer(secret))
    client.get("/keys/", headers=bearer(secret))
    key.revoke(NOW)
    client.get("/api/presence", headers=bearer(secret))
    listed = StringIO()
    call_command("apikey", "list", stdout=listed)
    assert key.shown in everything_stored()
    assert secret not in everything_stored()
    assert secret not in caplog.text + listed.getvalue() + repr(key)


def everything_stored() -> str:
    with connection.cursor() as cursor:
        rows: list[object] = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows.extend(cursor.fetchall())
    return repr(rows)
