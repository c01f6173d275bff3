"""The headers that protect a browser, on pages, API answers and refusals of every kind."""

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import path
from django.views.defaults import server_error

from fleetweb import urls

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

TOKEN = settings.FLEETWEB_TOKEN
handler400 = urls.handler400


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault to be shown without its text")


def api(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"fields": len(request.POST)})


urlpatterns = [*urls.urlpatterns, path("broken/", broken), path("api/thing", api)]


@pytest.fixture
def owner() -> Client:
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize(
    ("address", "status"), [("/admin/", 200), ("/api/thing", 200), ("/no/", 404), ("/broken/", 500)]
)
def test_answers_protect_the_browser(owner, address, status):
    response = owner.get(address)
    assert response.status_code == status
    assert_protected(response)


@pytest.mark.parametrize(
    ("address", "status"),
    [("/", 302), ("/login/", 200), ("/api/thing", 401), ("/?token=wrong", 403)],
)
def test_refusals_protect_the_browser(client, address, status):
    response = client.get(address)
    assert response.status_code == status
    assert_protected(response)


def assert_protected(response: HttpResponse) -> None:
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("asked", "name"),
    [("king.local:8000", "king.local"), ("king.local", "king.local"), ("[fe80::1]", "[fe80::1]")],
)
def test_an_unknown_host_is_told_which_variable_to_set(client, asked, name):
    response = client.get("/", headers={"Host": asked})
    page = response.content.decode()
    assert response.status_code == 400
    assert f"FLEETWEB_ALLOWED_HOSTS={name},localhost,127.0.0.1,[::1]" in page
    assert_protected(response)


def test_a_host_that_is_no_host_is_shown_harmlessly(client):
    page = client.get("/", headers={"Host": "<script>"}).content.decode()
    assert "<script>" not in page


def test_an_ill_made_request_blames_no_host(owner):
    form = "application/x-www-form-urlencoded"
    response = owner.post("/api/thing", "a=1&" * 1001, content_type=form)
    assert response.status_code == 400
    assert "FLEETWEB_ALLOWED_HOSTS" not in response.content.decode()


@pytest.mark.parametrize("address", ["/no/", "/broken/"])
def test_error_pages_say_what_to_do_and_nothing_of_the_inside(owner, address):
    page = owner.get(address).content.decode()
    assert "Back to the control room" in page or "Reload" in page
    assert "RuntimeError" not in page
    assert "style=" not in page
    assert "<style" not in page


def test_the_page_for_a_fault_of_ours_needs_no_database(rf, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert server_error(rf.get("/")).status_code == 500
