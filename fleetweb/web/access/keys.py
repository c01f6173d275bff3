"""Programs with an API key: who they are, and the little that a key opens."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils import timezone

from fleetweb.gateway.key_models import KEY_USER, ApiKey


class ApiKeyBackend(BaseBackend):
    """Lets in a program by its key. It takes `bearer_token` alone, so a key signs in to no page."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:  # noqa: ARG002
        given = credentials.get("bearer_token")
        key = ApiKey.objects.find(given) if given else None
        if key is None:
            return None
        key.touch(timezone.now())
        return key.user

    def get_user(self, user_id: int) -> None:  # noqa: ARG002
        """Nobody: a key has no session."""
        return


def is_key(user: User | AnonymousUser) -> bool:
    """Whether `user` is a key's and not a person."""
    return user.get_username().startswith(KEY_USER)


def opens(path: str) -> bool:
    """Whether a key opens `path`: what programs ask for, and no page or socket."""
    return path.startswith(("/v1/", "/api/")) or path == "/metrics"
