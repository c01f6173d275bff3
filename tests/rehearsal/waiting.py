"""Waiting for a thing to be so, with a deadline, never for a time to pass."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

DEADLINE_S = 15.0
BEAT_S = 0.01


async def until(look: Callable[[], Any | Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """What `look` sees, once it is true; fails when the deadline has passed."""
    async with asyncio.timeout(deadline_s):
        while True:
            seen = look()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return seen
            await asyncio.sleep(BEAT_S)
