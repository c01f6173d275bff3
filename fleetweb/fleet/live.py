"""The fleet's presence right now, for every process that wants to show it.

It lives in the cache: in this process's memory, or in Redis when several share the work. It holds
previews of prompts, so it is kept nowhere else and forgotten soon after nobody renews it.
"""

from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Final

import msgspec
from asgiref.sync import sync_to_async
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache

from fleetweb.core.presence import FleetPresence

KEY: Final = "fleet-presence"
KEPT_FOR_S: Final = 300
FRESH_FOR: Final = timedelta(seconds=10)  # ten beats, the last of them long

_decoder = msgspec.json.Decoder(FleetPresence)


_published: FleetPresence | None = None
_encoded = b""  # the same as it stands in the cache, if this process was the last to say something


def is_rehearsal() -> bool:
    """Whether this process watches machines that are pretended: nothing else may start them."""
    return _published is not None and _published.rehearsal


async def publish(presence: FleetPresence) -> None:
    global _published, _encoded
    _published, _encoded = presence, msgspec.json.encode(presence)
    keep = partial(cache.set, KEY, _encoded, timeout=KEPT_FOR_S)
    if is_near():
        keep()
    else:
        await sync_to_async(keep, thread_sensitive=False)()


async def current() -> FleetPresence | None:
    """The newest presence, None while nobody has looked yet."""
    return seen() if is_near() else await sync_to_async(seen, thread_sensitive=False)()


async def watched(now: datetime) -> FleetPresence | None:
    """The newest presence if somebody still watches: what is older says nothing of now."""
    presence = await current()
    return presence if presence is not None and now - presence.at <= FRESH_FOR else None


def seen() -> FleetPresence | None:
    """The same as `current`, for views that are not async."""
    encoded = cache.get(KEY)
    if encoded is None:
        return None
    return _published if encoded == _encoded else _decoded(encoded)


def is_near() -> bool:
    """Whether it is in this process's memory. Every request asks, every beat tells: for that, the
    detour through Django's one thread would cost more than the rest, and wait behind slow pages.
    """
    return isinstance(caches["default"], LocMemCache)


@lru_cache(maxsize=1)
def _decoded(encoded: bytes) -> FleetPresence:
    """Between two beats everybody asks for the same one."""
    return _decoder.decode(encoded)
