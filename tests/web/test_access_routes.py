"""That nothing is open but what is named here, whatever is added to the URLs and sockets."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RegexPattern, RoutePattern
from django.utils.regex_helper import normalize

from fleetweb.asgi import application
from fleetweb.web.access.sockets import STRANGER
from fleetweb.web.routing import websocket_urlpatterns
from tests.sockets import Socket

pytestmark = pytest.mark.django_db

OPEN_TO_STRANGERS = {"/login/", "/healthz", "/favicon.ico"}
SAMPLES = ("1", "king", "00000000-0000-4000-8000-000000000000", "2026-11-23")


def every_address() -> set[str]:
    return {f"/{address}" for address in _addresses(get_resolver().url_patterns)}


def _addresses(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for entry in patterns:
        here = _filled(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from (here + below for below in _addresses(entry.url_patterns))
        else:
            yield here


def _filled(pattern: RoutePattern | RegexPattern) -> str:
    template, names = normalize(pattern.regex.pattern)[0]
    converters = pattern.converters
    return template % {name: _sample(converters.get(name)) for name in names}


def _sample(converter: object) -> str:
    wanted = getattr(converter, "regex", ".*")
    return next(sample for sample in SAMPLES if re.fullmatch(wanted, sample))


def is_refused(client: Client, method: str, address: str) -> bool:
    response = client.generic(method, address)
    to_login = response.status_code == 302 and response["Location"].startswith("/login/")
    return to_login or response.status_code == 401


def test_every_address_is_one_that_leads_somewhere():
    for address in every_address():
        assert resolve(address)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_is_open_to_strangers_but_what_is_named_here(client, method):
    open_ones = {each for each in every_address() if not is_refused(client, method, each)}
    assert open_ones == OPEN_TO_STRANGERS & every_address()


@pytest.mark.parametrize("address", list(_addresses(websocket_urlpatterns)))
async def test_no_socket_is_open_to_strangers(address):
    own_page = [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:8000")]
    socket = Socket(application, f"/{address}", headers=own_page)
    assert await socket.connect() == (False, STRANGER)
