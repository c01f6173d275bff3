"""Who asks, and what they wish: a Django user and a few headers as the gateway's Caller."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.core.openai import InvalidRequest
from fleetweb.gateway.caller import Caller, Reach
from fleetweb.gateway.models import ApiKey

from ..access.keys import is_key
from ..access.sockets import Scope, admitted

FALLBACK: Final = "X-Fleetweb-Fallback"
STRATEGY: Final = "X-Fleetweb-Strategy"
# How long a token that was good is believed without asking the database again. A key that is
# revoked in this process is forgotten at once, one that is revoked in another after so long.
BELIEVED_FOR_S: Final = 2.0
BELIEVED_AT_MOST: Final = 1000

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is to the gateway. `key_id` is None for people."""

    name: str
    key_id: int | None = None
    has_limits: bool = False
    local_only: bool = False


def identity_of(user: User) -> Identity:
    """A program is known by its key, a person by their name."""
    if not is_key(user):
        return Identity(user.get_username())
    # It comes with the user it let in, so nothing is asked of the database.
    key: ApiKey = user.api_key
    return Identity(key.name, key.pk, key.has_limits, key.local_only)


_believed: dict[tuple[str, str], tuple[float, Identity]] = {}


async def who(scope: Scope, headers: Mapping[str, str]) -> Identity | None:
    """Who asks, None for strangers. Raises LockedOutError."""
    token = headers.get("authorization")
    if token is None:
        return await _asked(scope)
    credentials = (token, headers.get("host", ""))
    until, identity = _believed.get(credentials, (0.0, None))
    if identity is None or time.monotonic() >= until:
        identity = await _asked(scope)
        _believe(credentials, identity)
    return identity


async def _asked(scope: Scope) -> Identity | None:
    user = await admitted(scope)
    return None if user is None else identity_of(user)


def _believe(credentials: tuple[str, str], identity: Identity | None) -> None:
    _believed.pop(credentials, None)
    if identity is not None:
        if len(_believed) >= BELIEVED_AT_MOST:
            _believed.clear()
        _believed[credentials] = (time.monotonic() + BELIEVED_FOR_S, identity)


def forget(sender: type[Model], **_told: object) -> None:
    """Users or keys have changed: ask anew who is who."""
    if sender._meta.label in ("auth.User", "gateway.ApiKey"):
        _believed.clear()


post_save.connect(forget, dispatch_uid="v1-callers-saved")
post_delete.connect(forget, dispatch_uid="v1-callers-deleted")


def caller_of(identity: Identity, headers: Mapping[str, str]) -> Caller:
    """`identity` with its wishes for this request. Raises InvalidRequest for ones unknown.

    `headers` is asked in lower case. A key that is kept in the house can't wish itself out of it.
    """
    reach = _wish(headers, FALLBACK, Reach) or Reach.ANY
    if identity.local_only and reach is Reach.ANY:
        reach = Reach.LOCAL
    return Caller(
        name=identity.name,
        key_id=identity.key_id,
        has_limits=identity.has_limits,
        reach=reach,
        strategy=_wish(headers, STRATEGY, LoadBalanceStrategy),
        skips_cache=_wants_it_fresh(headers.get("cache-control", "")),
    )


def _wish(headers: Mapping[str, str], name: str, words: type[Word]) -> Word | None:
    value = headers.get(name.lower())
    if value is None:
        return None
    try:
        return words(value.strip().lower())
    except ValueError as error:
        known = ", ".join(words)
        raise InvalidRequest(
            f"{name} must be one of {known}.", param=name, code="invalid_header"
        ) from error


def _wants_it_fresh(directives: str) -> bool:
    given = {directive.strip().lower() for directive in directives.split(",")}
    return bool(given & {"no-cache", "no-store"})
