"""The door of everything that is not a Django view: websockets, and ASGI apps beside Django's."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from .callers import bearer_token_of, is_locked_out, user_by_bearer
from .keys import is_key, opens
from .refusals import SAFE_METHODS, cool_off_s, too_many_tries

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STRANGER = 4401

# Not the one thread that all of Django's own calls share: the door must not wait for a slow page.
_aside = partial(database_sync_to_async, thread_sensitive=False)


class SocketAccess:
    """Lets a websocket through to `app` with `scope["user"]`, or refuses its handshake."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = await user_of_scope(scope)
        if user is None:
            await send({"type": "websocket.close", "code": STRANGER})
        else:
            await self.app({**scope, "user": user}, receive, send)


class LockedOutError(Exception):
    """Too many wrong tries came from that address; `wait_s` until it may try again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(too_many_tries(wait_s))
        self.wait_s = wait_s


async def user_of_scope(scope: Scope) -> User | None:
    """Who is asking; None for whoever is not let in."""
    try:
        return await admitted(scope)
    except LockedOutError:
        return None


async def admitted(scope: Scope) -> User | None:
    """Who is asking; None for strangers, unknown hosts, pages of other sites, and keys elsewhere
    than where they open. Raises LockedOutError.

    A bearer token speaks for itself. A session cookie comes along with whatever any site in the
    browser does, so it counts only for a page of this very host and port.
    """
    request = _request(scope)
    if not _is_known_host(request):
        return None
    user: User | None = None
    bearer = bearer_token_of(request)
    if bearer is not None:
        user = await _aside(user_by_bearer)(request, bearer)
        if user is None and is_locked_out(request):
            raise LockedOutError(cool_off_s(request))
        if user is not None and is_key(user) and not opens(scope["path"]):
            return None
    elif _is_from_own_page(request, is_socket=scope["type"] == "websocket"):
        user = await _aside(_user_by_session)(request)
    return user


def _request(scope: Scope) -> ASGIRequest:
    """The scope as a request without query and body, which say nothing about who asks."""
    return ASGIRequest(
        {**scope, "method": scope.get("method", "GET"), "query_string": b""}, BytesIO()
    )


def _is_known_host(request: HttpRequest) -> bool:
    """False for a name that isn't ours, though it leads here: how other sites rebind DNS."""
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


def _is_from_own_page(request: HttpRequest, *, is_socket: bool) -> bool:
    origin = request.headers.get("Origin")
    if origin is None:  # browsers leave it out of plain reading alone, never out of a handshake
        return not is_socket and request.method in SAFE_METHODS
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == request.get_host().lower()


def _user_by_session(request: HttpRequest) -> User | None:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    return user if isinstance(user, User) and not is_key(user) else None
