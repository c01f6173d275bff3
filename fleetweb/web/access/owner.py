"""The owner: a user without a password, who is whoever holds the fleet's token."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

OWNER = "owner"

Named = ParamSpec("Named")
View = Callable[Concatenate[HttpRequest, Named], HttpResponse]


class OwnerTokenBackend(BaseBackend):
    """Lets in whoever holds `FLEETWEB_TOKEN`, pasted into a page or sent by a program.

    A backend of Django's for another kind of key takes `bearer_token` alone, so that a program's
    key opens no page, and stands beside this one in `AUTHENTICATION_BACKENDS`.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:  # noqa: ARG002
        given = credentials.get("token") or credentials.get("bearer_token")
        if not given or not is_owner_token(given):
            return None
        owner = the_owner()
        return owner if owner.is_active else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()


def is_owner_token(given: str) -> bool:
    """Whether `given` is the fleet's token, in a time that doesn't tell how much of it is right."""
    return hmac.compare_digest(given.encode(), settings.FLEETWEB_TOKEN.encode())


def the_owner() -> User:
    """The owner's row, made the first time it is asked for."""
    rights = {"is_superuser": True, "is_staff": True, "password": make_password(None)}
    owner, _ = User.objects.get_or_create(username=OWNER, defaults=rights)
    return owner


def is_owner(user: User | AnonymousUser) -> bool:
    """Whether `user` may see what belongs to the owner alone, such as others' prompts."""
    return user.is_active and user.is_superuser


def owner_only(view: View[Named]) -> View[Named]:
    """A view that others are told is not for them."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Named.args, **kwargs: Named.kwargs) -> HttpResponse:
        if not is_owner(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
