"""The answers under way in this process. They go on when nobody looks."""

import asyncio
import contextvars
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.utils import timezone

from fleetweb.core.streams import Outcome
from fleetweb.errors import FleetError
from fleetweb.gateway.history import entry_of
from fleetweb.gateway.passage import Passage
from fleetweb.gateway.running import gateway

from . import shelf
from .journal import Journal
from .standing import Standing, standing_of

STOPPED: Final = "fleetweb was stopped while it was answered. What had come by then is kept."
OUR_MISTAKE: Final = "fleetweb failed over this answer. Its log says why. Try it again."

logger = logging.getLogger(__name__)


class Runs:
    """One for each event loop; `close` ends what still runs, in order."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, run_id: str, answer_id: int, passage: Passage) -> None:
        """Answer `passage`, whoever follows, and keep what comes under `answer_id`."""
        # Not in the context of the request that asked: that is over before the answer is.
        task = asyncio.create_task(
            self._answer(Journal(run_id, answer_id, passage)), context=contextvars.Context()
        )
        self._tasks[passage.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(passage.id, None))

    def under_way(self) -> list[asyncio.Task[None]]:
        return list(self._tasks.values())

    async def over(self, request_ids: list[str], within_s: float) -> None:
        """Come back when these are over, or after `within_s`."""
        tasks = [self._tasks[one] for one in request_ids if one in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    async def close(self) -> None:
        tasks = self.under_way()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, journal: Journal) -> None:
        keeping = asyncio.create_task(journal.keep())
        trouble: tuple[Outcome, str] | None = None
        try:
            async with aclosing(gateway().answer(journal.passage)) as chunks:
                async for chunk in chunks:
                    journal.heard(chunk)
        except FleetError:
            pass  # the passage knows how it ended
        except asyncio.CancelledError:
            trouble = Outcome.INTERRUPTED, STOPPED
            raise
        except Exception:
            trouble = Outcome.FAILED, OUR_MISTAKE
            logger.exception("An answer of the playground failed.")
        finally:
            journal.finish()
            await asyncio.gather(keeping, return_exceptions=True)
            await journal.conclude(_ended(journal.passage, trouble))
            if journal.is_forgotten:
                await _forget(journal.passage)


def _ended(passage: Passage, trouble: tuple[Outcome, str] | None) -> Standing:
    standing = standing_of(passage, None)
    if trouble is not None:
        standing = replace(standing, outcome=trouble[0], error=trouble[1])
    return replace(standing, ended_at=standing.ended_at or timezone.now())


async def _forget(passage: Passage) -> None:
    """It was deleted while it was answered; what the gateway is about to write goes as well."""
    recorder = gateway().recorder
    await recorder.commit(entry_of(passage, recorder.process))  # after the entry with the text
    await database_sync_to_async(shelf.forget_answer)(passage.id)


_runs: WeakKeyDictionary[asyncio.AbstractEventLoop, Runs] = WeakKeyDictionary()


def runs() -> Runs:
    """Those of the running event loop."""
    return _runs.setdefault(asyncio.get_running_loop(), Runs())


async def close_runs() -> None:
    """End the answers of the running loop, if there are any; what has come is kept."""
    running = _runs.pop(asyncio.get_running_loop(), None)
    if running is not None:
        await running.close()
