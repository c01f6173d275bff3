"""Answers that would come out the same again, kept for an hour.

They live where presence does, in memory or in Redis, and never in the database: they are text.
"""

from typing import Final

import msgspec
from django.core.cache import cache as store

from fleetweb.core.chat import ChatRequest, Completion, fingerprint, is_deterministic

from .caller import Caller

KEPT_FOR_S: Final = 3600
LONGEST_BYTES: Final = 256 * 1024

_decoder = msgspec.json.Decoder(tuple[str, str, Completion])


def key_of(request: ChatRequest, caller: Caller) -> str | None:
    """Where its answer would be kept, None for a request that is to be answered afresh."""
    if caller.skips_cache or not is_deterministic(request):
        return None
    return f"answer:{caller.reach.value}:{fingerprint(request)}"


async def get(key: str) -> tuple[str, str, Completion] | None:
    """The provider, the model and the answer kept under `key`."""
    encoded = await store.aget(key)
    return None if encoded is None else _decoder.decode(encoded)


async def put(key: str, provider: str, model_id: str, completion: Completion) -> None:
    encoded = msgspec.json.encode((provider, model_id, completion))
    if len(encoded) <= LONGEST_BYTES:
        await store.aset(key, encoded, timeout=KEPT_FOR_S)
