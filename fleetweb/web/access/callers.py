"""Whose request it is: by its bearer token if it carries one, else by its session."""

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

REFUSED_FOR_S = 3600


def bearer_token_of(request: HttpRequest) -> str | None:
    """What stands behind `Authorization: Bearer`, even if it is empty; None without it."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def user_by_bearer(request: HttpRequest, token: str) -> User | None:
    """The user that a program's token stands for, None if it is wrong or its address is locked out.

    A program goes on with yesterday's token for ever, so a token counts as one wrong try however
    often it comes: only guessing locks out an address, which others may share.
    """
    refused = f"refused-bearer:{salted_hmac(__name__, token).hexdigest()}"
    if cache.get(refused):
        return None
    user = authenticate(request, bearer_token=token)
    if user is None and not is_locked_out(request):
        cache.set(refused, True, REFUSED_FOR_S)
    return user if isinstance(user, User) else None


def user_by_token(request: HttpRequest, token: str) -> User | None:
    """The owner if `token` is theirs, None if it is not or the address is locked out."""
    user = authenticate(request, token=token)
    return user if isinstance(user, User) else None


def is_locked_out(request: HttpRequest) -> bool:
    """Whether the attempt just made on `request` was one too many from its address."""
    return getattr(request, "axes_locked_out", False)
