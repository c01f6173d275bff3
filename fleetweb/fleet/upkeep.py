"""What has to be done now and then, by the one who polls: whoever has something hears of it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from django.dispatch import Signal
from django.utils import timezone

from .once import Once

# Sent with `now` by the process that polls. Receivers are coroutine functions that do one small
# step, and return whether there is more to do.
upkeep_due = Signal()

CALM_S: Final = 60.0
LIVELY_S: Final = 1.0

logger = logging.getLogger(__name__)


async def keep_up(is_mine: Callable[[], bool]) -> None:
    """Step after step until cancelled, while `is_mine` says that it is this process that does it.

    A step that fails is tried again a minute later, and logged once.
    """
    once = Once(logger)
    while True:
        more = await _step(once) if is_mine() else False
        await asyncio.sleep(LIVELY_S if more else CALM_S)


async def _step(once: Once) -> bool:
    done = await upkeep_due.asend_robust(keep_up, now=timezone.now())
    troubles = [result for _, result in done if isinstance(result, Exception)]
    for trouble in troubles:
        once.warn("upkeep", f"The history could not be kept small: {trouble!r}.")
    if not troubles:
        once.well("upkeep", "The history is kept small again.")
    return any(result is True for _, result in done)
