"""What somebody is told who is not let in: a page, a fragment's redirect, or JSON."""

import math

from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import urlencode
from django_htmx.middleware import HtmxDetails

PROGRAMS = ("/api/", "/metrics")
SAFE_METHODS = ("GET", "HEAD")

NOT_OURS = (
    "That token is not this fleet's. It is printed when the server starts, "
    "and kept in the data directory's file `token`."
)
NO_BEARER_OF_OURS = (
    "That is neither the token of this fleet's owner nor an API key in use. "
    "Keys are made, and revoked, at /keys/."
)
NOT_SIGNED_IN = (
    "This needs the owner's token or an API key: send it as `Authorization: Bearer <token>`."
)
NOT_FOR_KEYS = (
    "An API key opens /v1, /api and /metrics, and nothing else. "
    "Pages are for the owner and the household: sign in at /login/."
)
NUL = (
    "The address has a NUL character in it (written %00), and no name or text here holds one. "
    "Take it out and ask again."
)
STALE_FORM = "This form is no longer valid. Reload the page and send it again."


def is_for_program(request: HttpRequest) -> bool:
    """Whether the answer is read by a program, which can't use a login page."""
    return request.path_info.startswith(PROGRAMS) or not request.accepts("text/html")


def has_nul(request: HttpRequest) -> bool:
    """Whether there is a NUL in the address: PostgreSQL can't even look for one."""
    return "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")


def not_an_address(request: HttpRequest) -> HttpResponse:
    if is_for_program(request):
        return error(400, NUL, "invalid_request_error", "nul_in_address")
    return render(request, "400.html", {"message": NUL}, status=400)


def not_signed_in(request: HttpRequest) -> HttpResponse:
    """The way to the login page, in the form that the asker can follow."""
    htmx = HtmxDetails(request)
    if htmx:
        return _htmx_redirect(htmx)
    if is_for_program(request):
        return unauthorized(NOT_SIGNED_IN, "missing_token")
    if request.method in SAFE_METHODS:
        return redirect_to_login(request.get_full_path())
    return redirect(settings.LOGIN_URL)


def wrong_bearer() -> HttpResponse:
    return unauthorized(NO_BEARER_OF_OURS, "invalid_token")


def not_for_keys() -> HttpResponse:
    return error(403, NOT_FOR_KEYS, "permission_error", "not_for_keys")


def unauthorized(message: str, code: str) -> HttpResponse:
    response = error(401, message, "authentication_error", code)
    response["WWW-Authenticate"] = "Bearer"
    return response


def locked_out(request: HttpRequest, *_from_axes: object) -> HttpResponse:
    """Too many wrong tries from one address. django-axes calls it too, with what it knows."""
    wait_s = cool_off_s(request)
    message = too_many_tries(wait_s)
    if is_for_program(request) or "Authorization" in request.headers:
        response: HttpResponse = error(429, message, "rate_limit_error", "too_many_attempts")
    else:
        response = render(request, "403.html", {"message": message}, status=429)
    response["Retry-After"] = str(wait_s)
    return response


def too_many_tries(wait_s: int) -> str:
    return f"Too many wrong tries. Wait {math.ceil(wait_s / 60)} minutes, then try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """A form without its proof that it came from a page of ours. Django says why in its log."""
    if is_for_program(request):
        return error(403, STALE_FORM, "permission_error", "csrf_failed")
    return render(request, "403.html", {"message": STALE_FORM}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that can't be served; if its host is unknown, the page says what to set."""
    context = {}
    if isinstance(exception, DisallowedHost):
        host, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
        context = {"host": host, "hosts": ",".join([host, *settings.ALLOWED_HOSTS])}
    return render(request, "400.html", context, status=400)


def error(status: int, message: str, kind: str, code: str) -> JsonResponse:
    """An error in OpenAI's shape."""
    body = {"error": {"message": message, "type": kind, "code": code}}
    return JsonResponse(body, status=status)


def cool_off_s(request: HttpRequest) -> int:
    """How long an address stays locked out, in seconds."""
    cool_off = get_cool_off(request)
    return math.ceil(cool_off.total_seconds()) if cool_off else 0


def _htmx_redirect(htmx: HtmxDetails) -> HttpResponse:
    """Sends the whole page to the login, and from there back to the page, not to its fragment."""
    page = htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
    response = HttpResponse(status=401)
    response["HX-Redirect"] = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': page})}"
    return response
