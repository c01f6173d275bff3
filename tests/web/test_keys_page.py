"""The page of API keys, as its owner uses it: with htmx and without."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx2 as httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone

from fleetweb.gateway.ledger import day_of
from fleetweb.gateway.models import ApiKey, KeyUse
from tests.processes import TOKEN, Process

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
NOTHING_LIMITED = {"requests_per_minute": "", "tokens_per_day": "", "usd_per_month": ""}


@pytest.fixture
def owner(client: Client) -> Client:
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    return client


@pytest.fixture
def laptop() -> ApiKey:
    return ApiKey.objects.issue("laptop", tokens_per_day=5000)[0]


def secret_on(page: str) -> str:
    return page.partition('class="secret" tabindex="0">')[2].partition("<")[0]


def page_of(client: Client) -> str:
    return client.get("/keys/").content.decode()


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/keys/", "/keys/{pk}/", "/keys/{pk}/revoke/"])
def test_it_is_for_the_owner_alone(client, laptop, address):
    client.force_login(
        User.objects.create_user("ada"), backend="django.contrib.auth.backends.ModelBackend"
    )
    response = client.post(address.format(pk=laptop.pk), {"name": "mine"})
    assert response.status_code == 403
    assert "for the fleet's owner" in response.content.decode()
    laptop.refresh_from_db()
    assert (ApiKey.objects.count(), laptop.revoked_at) == (1, None)


def test_the_owner_is_shown_the_way_to_it_and_nobody_else(owner):
    assert '<a href="/keys/" aria-current="page">' in page_of(owner)
    ada = RequestFactory().get("/")
    ada.user = User(username="ada")
    assert "/keys/" not in render_to_string("_nav.html", request=ada)


def test_a_form_of_another_site_changes_nothing(laptop):
    strict = Client(enforce_csrf_checks=True)
    strict.get(f"/?token={settings.FLEETWEB_TOKEN}")
    assert strict.post("/keys/", {"name": "theirs"}).status_code == 403
    assert strict.post(f"/keys/{laptop.pk}/revoke/").status_code == 403
    assert ApiKey.objects.usable().count() == 1


@pytest.mark.parametrize("address", ["/keys/{pk}/", "/keys/{pk}/revoke/"])
def test_a_link_changes_nothing(owner, laptop, address):
    assert owner.get(address.format(pk=laptop.pk)).status_code == 405


# --- a new key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_new_key_is_shown_once_with_examples_that_work_as_they_are(owner, headers):
    response = owner.post("/keys/", {"name": "laptop"}, headers=headers, HTTP_HOST="localhost:8123")
    page = response.content.decode()
    secret = secret_on(page)
    assert ApiKey.objects.find(secret) == ApiKey.objects.get()
    assert page.count(secret) == 3
    assert 'base_url="http://localhost:8123/v1"' in page
    assert "curl http://localhost:8123/v1/chat/completions" in page
    assert "no-store" in response["Cache-Control"]
    assert secret not in page_of(owner)


def test_htmx_gets_the_piece_that_changes_and_nothing_around_it(owner):
    piece = owner.post("/keys/", {"name": "laptop"}, headers=HTMX).content.decode()
    assert piece.startswith('<div id="keys"')
    assert "<html" not in piece


def test_a_new_key_has_the_limits_that_were_written_in_any_way(owner):
    limits = {"requests_per_minute": " 30", "tokens_per_day": "1,000,000", "usd_per_month": "$2.50"}
    owner.post("/keys/", {"name": " laptop ", **limits, "local_only": "on"})
    key = ApiKey.objects.get(name="laptop")
    assert (key.requests_per_minute, key.tokens_per_day) == (30, 1_000_000)
    assert (key.usd_per_month, key.local_only) == (Decimal("2.50"), True)


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("name", "", "A key needs a name."),
        ("name", "laptop", "There is a key of that name, in use or revoked."),
        ("name", "a/b", "A name begins with a letter or a digit"),
        ("requests_per_minute", "0", "A limit is 1 or more."),
        ("requests_per_minute", "many", "Write a whole number, such as 30."),
        ("tokens_per_day", "1.5", "Write a whole number, such as 100,000."),
        ("usd_per_month", "cheap", "Write an amount, such as 2.50."),
        ("usd_per_month", "0", "A limit is $0.01 or more."),
    ],
)
def test_says_beside_the_box_what_is_wrong_and_loses_nothing(owner, laptop, field, written, words):
    filled = {"name": "phone", "tokens_per_day": "77", "local_only": "on", field: written}
    page = owner.post("/keys/", filled).content.decode()
    form = page.partition('class="new"')[2].partition("</form>")[0]
    assert words in form.partition(f'id="id_{field}_error"')[2]
    assert 'aria-invalid="true"' in form
    assert "autofocus" in form
    assert all(f'value="{kept}"' in form for kept in filled.values() if kept and kept != "on")
    assert "checked" in form
    assert ApiKey.objects.count() == 1


def test_two_presses_of_the_button_make_one_key(owner):
    owner.post("/keys/", {"name": "laptop"})
    assert (
        "There is a key of that name" in owner.post("/keys/", {"name": "laptop"}).content.decode()
    )
    assert ApiKey.objects.count() == 1


# --- what there is --------------------------------------------------------------------------------


def test_an_empty_page_says_so(owner):
    assert "No program has a key yet." in page_of(owner)


def test_a_key_is_shown_with_what_it_used(owner, laptop):
    today = day_of(timezone.now())
    KeyUse.objects.create(key=laptop, day=today, requests=2, tokens=3400, cost_usd=Decimal("0.004"))
    KeyUse.objects.create(key=laptop, day=today - timedelta(days=40), tokens=9, cost_usd=9)
    page = page_of(owner)
    assert f"<code>{laptop.shown}…</code>" in page
    assert "3,400 of 5,000 tokens" in page
    assert "under $0.01, 2 requests" in page
    assert "under $0.01, no limit" in page
    assert '<rect width="68" height="1"/>' in page
    assert laptop.digest not in page


def test_a_limit_that_is_used_up_is_said_in_words(owner, laptop):
    KeyUse.objects.create(key=laptop, day=day_of(timezone.now()), requests=1, tokens=6000)
    assert "6,000 of 5,000 tokens: used up" in page_of(owner)


def test_many_keys_cost_no_more_questions_than_one(owner, django_assert_num_queries):
    for n in range(5):
        ApiKey.objects.issue(f"key {n}")
    with django_assert_num_queries(5):  # the session, its user, the keys, and two sums
        page_of(owner)


# --- other limits, and an end ---------------------------------------------------------------------


def test_limits_are_changed_and_taken_away(owner, laptop):
    written = {**NOTHING_LIMITED, "requests_per_minute": "5"}
    response = owner.post(f"/keys/{laptop.pk}/", written)
    assert (response.status_code, response["Location"]) == (302, "/keys/")
    laptop.refresh_from_db()
    assert (laptop.requests_per_minute, laptop.tokens_per_day) == (5, None)


def test_htmx_is_told_what_was_changed(owner, laptop):
    piece = owner.post(f"/keys/{laptop.pk}/", NOTHING_LIMITED, headers=HTMX).content.decode()
    assert "The limits of laptop are changed." in piece


def test_limits_that_are_wrong_stay_in_their_open_form(owner, laptop):
    ApiKey.objects.issue("phone")
    written = {**NOTHING_LIMITED, "tokens_per_day": "lots"}
    page = owner.post(f"/keys/{laptop.pk}/", written).content.decode()
    assert page.count("<details open>") == 1
    assert 'value="lots"' in page
    assert "5,000 tokens" in page
    assert ApiKey.objects.get(name="laptop").tokens_per_day == 5000


def test_the_name_of_a_key_is_not_changed(owner, laptop):
    owner.post(f"/keys/{laptop.pk}/", {**NOTHING_LIMITED, "name": "phone", "digest": "x"})
    assert ApiKey.objects.get().name == "laptop"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_revoked_key_moves_to_the_end_and_can_not_be_changed(owner, laptop, headers):
    owner.post(f"/keys/{laptop.pk}/revoke/", headers=headers)
    page = page_of(owner)
    assert "No program has a key yet." in page
    assert "laptop" in page.partition('id="revoked"')[2]
    assert owner.post(f"/keys/{laptop.pk}/", NOTHING_LIMITED).status_code == 404
    assert not ApiKey.objects.usable().exists()


def test_a_key_that_is_not_there_is_not_found(owner):
    assert owner.post("/keys/77/revoke/").status_code == 404


# --- in a process of its own ----------------------------------------------------------------------


def test_a_secret_is_nowhere_but_where_it_was_shown(tmp_path: Path):
    with Process.manage("serve", "--rehearsal", "--port", "0", data=tmp_path) as server:
        keys = f"{server.address()}/keys/"
        as_owner = {"Authorization": f"Bearer {TOKEN}"}
        secret = secret_on(httpx.post(keys, data={"name": "canary"}, headers=as_owner).text)
        statuses = [status(server.address(), secret)]
        assert secret not in httpx.get(keys, headers=as_owner).text
        assert httpx.post(f"{keys}1/revoke/", headers=as_owner).status_code == 302
        statuses.append(status(server.address(), secret))
        server.stop()
    assert statuses == [(200, 200, 403), (401, 401, 401)]
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert secret[:10].encode() in kept["rehearsal.sqlite3"]
    assert [name for name, content in kept.items() if secret.encode() in content] == []


def status(address: str, secret: str) -> tuple[int, ...]:
    """What a program with this key is answered by the fleet, by the API and by a page."""
    asked = (f"{address}/v1/models", f"{address}/api/presence", f"{address}/keys/")
    headers = {"Authorization": f"Bearer {secret}"}
    return tuple(httpx.get(url, headers=headers).status_code for url in asked)
