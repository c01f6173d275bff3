"""The rehearsal's time: as fast as its speed, and tasks that are all kept and awaited."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger(__name__)


class Clock:
    """Time that runs `speed` times as fast. Waits are scaled; stamps are the real present."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Rehearsed seconds since the beginning."""
        return (time.monotonic() - self._began) * self.speed

    def real_s(self, seconds: float) -> float:
        """How long `seconds` of the rehearsal last on the wall."""
        return seconds / self.speed

    def stamp(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, self.real_s(seconds)))

    async def until(self, elapsed_s: float) -> None:
        """Wait for a moment of the rehearsal; returns at once if it has passed."""
        wait = elapsed_s - self.elapsed_s
        if wait > 0:
            await self.sleep(wait)


class Crew:
    """Every background task of a rehearsal, so that stopping leaves none behind."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("A part of the rehearsal failed", exc_info=error)

    async def stop(self) -> None:
        """Cancel what runs and wait for it, including what is started meanwhile."""
        while self._tasks:
            running = tuple(self._tasks)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._tasks)
