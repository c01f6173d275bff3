"""Who gets in by HTTP: sessions, tokens in addresses, bearer tokens, and strangers."""

import logging
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, override_settings
from django.urls import path

from fleetweb import urls
from fleetweb.web.access.owner import OWNER, is_owner

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

handler400 = urls.handler400
TOKEN = settings.FLEETWEB_TOKEN
WRONG = "w" * len(TOKEN)


def name(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"I know you, {request.user.get_username()}.")


async def async_name(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return HttpResponse(f"I know you, {user.get_username()}.")


def api(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": request.user.get_username()})


urlpatterns = [
    *urls.urlpatterns,
    path("some/page/", name),
    path("async/page/", async_name),
    path("api/thing", api),
]


@pytest.fixture
def strict() -> Client:
    return Client(enforce_csrf_checks=True)


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- strangers ------------------------------------------------------------------------------------


def test_a_stranger_is_led_to_the_login_page_and_back(client):
    response = client.get("/some/page/?at=14:32")
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=/some/page/%3Fat%3D14%3A32"


def test_a_strangers_form_leads_to_the_login_page_without_a_way_back(client):
    response = client.post("/some/page/")
    assert (response.status_code, response["Location"]) == (302, "/login/")


def test_a_stranger_learns_nothing_of_what_exists(client):
    assert client.get("/no/such/page/").status_code == 302


@pytest.mark.parametrize("address", ["/api/thing", "/api/nothing", "/metrics"])
def test_a_strange_program_is_told_in_json(client, address):
    response = client.get(address)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "missing_token")
    assert "Authorization: Bearer" in error["message"]


def test_a_stream_reader_is_told_in_json(client):
    response = client.get("/some/page/", headers={"Accept": "text/event-stream"})
    assert (response.status_code, response["Content-Type"]) == (401, "application/json")


def test_a_fragment_sends_the_whole_page_to_the_login(client):
    asked_on = {"HX-Request": "true", "HX-Current-URL": "http://testserver/nodes/king/?since=24h"}
    response = client.get("/some/page/", headers=asked_on)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login/?next=%2Fnodes%2Fking%2F%3Fsince%3D24h"


# --- addresses that no database could look for ----------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *(f"/api/requests?{name}=%00" for name in ("node", "caller", "provider", "model", "key")),
        "/api/requests?before=1.%00",
        "/api/requests/%00",
        "/api/nodes/a%00b/latency",
        "/api/replay?at=%00",
    ],
)
def test_a_program_is_told_in_json_of_a_nul_in_its_address(client, address):
    response = client.get(address, headers=bearer())
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "nul_in_address")
    assert error["type"] == "invalid_request_error"
    assert "NUL" in error["message"]


@pytest.mark.parametrize(
    "address",
    ["/requests/?before=1.%00", "/requests/%00/", "/nodes/a%00b/", "/some/page/?%00=1", "/%00"],
)
def test_a_page_says_what_is_wrong_with_a_nul_in_its_address(client, address):
    client.get(f"/some/page/?token={TOKEN}")
    response = client.get(address)
    assert response.status_code == 400
    assert "The address has a NUL character in it" in response.content.decode()


def test_a_nul_is_refused_before_anything_is_looked_for(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/api/requests?node=%00", headers=bearer()).status_code == 400


def test_a_cookie_with_a_nul_is_a_strangers(client, django_assert_num_queries):
    client.cookies.load({settings.SESSION_COOKIE_NAME: "a session\0"})
    with django_assert_num_queries(0):
        assert client.get("/some/page/")["Location"] == "/login/?next=/some/page/"


def test_an_address_about_a_nul_has_none(client):
    assert client.get("/api/thing?q=%2500", headers=bearer()).status_code == 200


# --- a token in the address -----------------------------------------------------------------------


def test_a_token_in_the_address_becomes_a_session_and_vanishes(client):
    response = client.get(f"/some/page/?a=1&token={TOKEN}&b=%26")
    assert (response.status_code, response["Location"]) == (302, "/some/page/?a=1&b=%26")
    assert "no-store" in response["Cache-Control"]
    assert client.get("/some/page/").content == b"I know you, owner."


def test_asking_for_the_head_of_a_page_leaves_no_token_either(client):
    response = client.head(f"/some/page/?token={TOKEN}")
    assert (response.status_code, response["Location"]) == (302, "/some/page/")


def test_every_token_in_the_address_vanishes(client):
    response = client.get(f"/some/page/?token={WRONG}&token={TOKEN}")
    assert response["Location"] == "/some/page/"


def test_a_token_in_the_address_leads_to_no_other_host(client):
    response = client.request(PATH_INFO="//evil.example/?x", QUERY_STRING=f"token={TOKEN}")
    assert response["Location"] == "/%2Fevil.example/%3Fx"


def test_a_wrong_token_in_the_address_is_refused_in_words(client):
    response = client.get(f"/some/page/?a=1&token={WRONG}")
    page = response.content.decode()
    assert response.status_code == 403
    assert "That token is not this fleet&#x27;s." in page
    assert 'value="/some/page/?a=1"' in page
    assert WRONG not in page
    assert client.get("/some/page/").status_code == 302


def test_a_token_in_the_address_of_a_form_counts_for_nothing(client):
    response = client.post(f"/some/page/?token={TOKEN}")
    assert (response.status_code, response["Location"]) == (302, "/login/")
    assert client.get("/some/page/").status_code == 302


def test_a_token_replaces_the_session_of_another_user(client):
    client.force_login(User.objects.create_user("ada"))
    client.get(f"/some/page/?token={TOKEN}")
    assert client.get("/some/page/").content == b"I know you, owner."


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client):
    client.get(f"/some/page/?token={TOKEN}")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_new_token_ends_every_session(client):
    client.get(f"/some/page/?token={TOKEN}")
    with override_settings(SECRET_KEY="as made from another token"):
        assert client.get("/some/page/").status_code == 302


def test_a_new_token_makes_a_new_secret_key(tmp_path):
    def secret_key(token: str) -> str:
        show = "from fleetweb import settings; print(settings.SECRET_KEY)"
        env = os.environ | {"FLEETWEB_TOKEN": token, "FLEETWEB_DATA": str(tmp_path)}
        shown = subprocess.run([sys.executable, "-c", show], env=env, capture_output=True)
        assert shown.returncode == 0
        return shown.stdout.decode().strip()

    first = secret_key("the first of two tokens")
    assert first == secret_key("the first of two tokens")
    assert first != secret_key("the second of two tokens")


def test_a_session_that_logged_out_is_over_wherever_its_cookie_is(client):
    client.get(f"/some/page/?token={TOKEN}")
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert thief.get("/some/page/").status_code == 200
    assert client.post("/logout/")["Location"] == "/login/"
    assert thief.get("/some/page/").status_code == 302


# --- bearer tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_lets_a_program_in(client, scheme):
    response = client.get("/api/thing", headers={"Authorization": f"{scheme} {TOKEN}"})
    assert response.json() == {"user": OWNER}
    assert not response.cookies


async def test_an_async_view_knows_the_bearer(async_client, transactional_db):
    response = await async_client.get("/async/page/", headers=bearer())
    assert response.content == b"I know you, owner."


async def test_an_async_view_knows_the_session(async_client, transactional_db):
    await async_client.aforce_login(await User.objects.acreate(username="ada"))
    response = await async_client.get("/async/page/")
    assert response.content == b"I know you, ada."


def test_a_bearer_needs_no_csrf_token(strict):
    assert strict.post("/api/thing", headers=bearer()).status_code == 200


@pytest.mark.parametrize("token", [WRONG, "", TOKEN[:-1], TOKEN + "x", "\u00fc" * 20])
def test_a_wrong_bearer_is_refused_in_json(client, token):
    response = client.get("/some/page/", headers=bearer(token))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_token")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_wrong_bearer_is_refused_beside_a_good_session(strict):
    strict.get(f"/some/page/?token={TOKEN}")
    assert strict.post("/api/thing", headers=bearer(WRONG)).status_code == 401


def test_another_scheme_is_no_bearer(client):
    assert client.get("/api/thing", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


# --- sessions and forms ---------------------------------------------------------------------------


def test_a_session_needs_a_csrf_token_to_change_anything(strict):
    strict.get(f"/some/page/?token={TOKEN}")
    response = strict.post("/some/page/")
    assert response.status_code == 403
    assert "no longer valid" in response.content.decode()


def test_a_session_that_calls_the_api_without_a_csrf_token_is_told_in_json(strict):
    strict.get(f"/some/page/?token={TOKEN}")
    response = strict.post("/api/thing")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "csrf_failed")


def test_a_page_of_another_port_can_not_use_the_session(strict):
    strict.get(f"/some/page/?token={TOKEN}")
    csrf = strict.get("/admin/password_change/").cookies[settings.CSRF_COOKIE_NAME].value
    sent = {"X-CSRFToken": csrf, "Origin": "http://testserver:9999"}
    assert strict.post("/api/thing", headers=sent).status_code == 403
    sent["Origin"] = "http://testserver"
    assert strict.post("/api/thing", headers=sent).status_code == 200


def test_the_login_page_takes_the_token_and_leads_back(client):
    response = client.post("/login/", {"token": f" {TOKEN} ", "next": "/some/page/"})
    assert (response.status_code, response["Location"]) == (302, "/some/page/")
    assert client.get("/some/page/").content == b"I know you, owner."


def test_the_login_page_takes_a_name_and_a_password(client):
    User.objects.create_user("ada", password="lovelace")
    filled = {"username": "ada", "password": "lovelace", "next": "/some/page/"}
    assert client.post("/login/", filled)["Location"] == "/some/page/"
    assert client.get("/some/page/").content == b"I know you, ada."


def test_the_login_page_leads_to_no_other_host(client):
    with override_settings(LOGIN_REDIRECT_URL="/"):
        response = client.post("/login/", {"token": TOKEN, "next": "https://evil.example/"})
    assert response["Location"] == "/"


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        ({"token": WRONG}, "That token is not this fleet&#x27;s. It is printed when the server"),
        ({"username": "ada", "password": "byron"}, "don&#x27;t go together"),
        ({"username": "ada"}, "Paste the fleet&#x27;s token, or give a name and a password."),
        ({}, "Paste the fleet&#x27;s token, or give a name and a password."),
    ],
)
def test_the_login_page_says_what_is_wrong(client, filled, words):
    User.objects.create_user("ada", password="lovelace")
    page = client.post("/login/", filled).content.decode()
    assert words in page
    assert WRONG not in page


def test_whoever_is_in_is_led_on_from_the_login_page(client):
    client.get(f"/some/page/?token={TOKEN}")
    assert client.get("/login/?next=/some/page/")["Location"] == "/some/page/"
    with override_settings(LOGIN_REDIRECT_URL="/"):
        assert client.get("/login/?next=/login/")["Location"] == "/"


def test_the_login_page_wants_its_csrf_token(strict):
    assert strict.post("/login/", {"token": TOKEN}).status_code == 403


def test_logging_out_is_not_done_by_a_link(client):
    client.get(f"/some/page/?token={TOKEN}")
    assert client.get("/logout/").status_code == 405


# --- the owner ------------------------------------------------------------------------------------


def test_the_owner_is_made_once_without_a_password(client):
    for _ in range(2):
        client.get("/api/thing", headers=bearer())
    owner = User.objects.get()
    assert is_owner(owner)
    assert not owner.has_usable_password()


def test_an_owner_who_was_switched_off_stays_out(client):
    client.get(f"/some/page/?token={TOKEN}")
    User.objects.update(is_active=False)
    assert client.get("/some/page/").status_code == 302
    assert client.get("/api/thing", headers=bearer()).status_code == 401


def test_only_a_superuser_is_the_owner(django_user_model):
    assert is_owner(django_user_model(is_superuser=True))
    assert not is_owner(django_user_model())
    assert not is_owner(django_user_model(is_superuser=True, is_active=False))


def test_no_token_is_ever_logged(client, caplog):
    caplog.set_level(logging.DEBUG)
    client.get(f"/some/page/?token={TOKEN}")
    client.get(f"/some/page/?token={WRONG}")
    client.get("/api/thing", headers=bearer(WRONG))
    client.get("/api/thing", headers=bearer())
    Client().post("/login/", {"token": WRONG})
    assert "axes" in caplog.text
    assert TOKEN not in caplog.text
    assert WRONG not in caplog.text
