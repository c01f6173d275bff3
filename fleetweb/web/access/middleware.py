"""The door of every page and API call: nothing is served to strangers but what is named here."""

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes

from ..views.login import token_refused
from .callers import bearer_token_of, is_locked_out, user_by_bearer, user_by_token
from .keys import is_key, opens
from .refusals import (
    SAFE_METHODS,
    has_nul,
    locked_out,
    not_an_address,
    not_for_keys,
    not_signed_in,
    wrong_bearer,
)

OPEN_PATHS = frozenset({"/login/", "/healthz", "/favicon.ico"})
TOKEN = "token"  # noqa: S105


class AccessMiddleware(MiddlewareMixin):
    """Lets in by bearer token, by `?token=` once, or by session; refuses everybody else.

    Stands behind the session, authentication and htmx middleware, whose work it uses.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if has_nul(request):  # before anything looks for it
            return not_an_address(request)
        bearer = bearer_token_of(request)
        if bearer is not None:
            return _admit_program(request, bearer)
        if request.method in SAFE_METHODS and TOKEN in request.GET and not _is_embedded(request):
            return _sign_in(request)
        if request.user.is_authenticated and not is_key(request.user):
            _remember(request, request.user)
            return None
        return None if is_open(request.path_info) else not_signed_in(request)


def is_open(path: str) -> bool:
    """Whether strangers may have it."""
    return path in OPEN_PATHS or path.startswith(settings.STATIC_URL)


def _admit_program(request: HttpRequest, token: str) -> HttpResponse | None:
    """A wrong token is refused even beside a good session: the caller meant the token."""
    user = user_by_bearer(request, token)
    if user is None:
        return locked_out(request) if is_locked_out(request) else wrong_bearer()
    if is_key(user) and not opens(request.path_info):
        return not_for_keys()
    # No browser adds this header by itself, so no other site can have made the request.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    _remember(request, user)
    return None


def _is_embedded(request: HttpRequest) -> bool:
    """Whether a page asks, not a person: one with pictures of wrong tokens would lock them out."""
    return request.headers.get("Sec-Fetch-Dest", "document") != "document"


def _sign_in(request: HttpRequest) -> HttpResponse:
    """Turns the token in an address into a session, and the address into one without it."""
    user = user_by_token(request, request.GET[TOKEN])
    if user is not None:
        login(request, user)
        response: HttpResponse = redirect(_address_without_token(request))
    elif is_locked_out(request):
        response = locked_out(request)
    else:
        response = token_refused(request, _address_without_token(request))
    add_never_cache_headers(response)
    return response


def _address_without_token(request: HttpRequest) -> str:
    query = request.GET.copy()
    del query[TOKEN]
    # An address that begins with two slashes would lead to another host.
    path = escape_leading_slashes(escape_uri_path(request.path))
    return f"{path}?{query.urlencode()}" if query else path


def _remember(request: HttpRequest, user: User) -> None:
    """Keeps the user with the request, so that async views ask no database for it."""

    async def auser() -> User:
        return user

    request.user = user
    request.auser = auser
