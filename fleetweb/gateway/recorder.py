"""Writing the history: one thread, many rows a transaction, and a promise when they are committed.

Nothing that carries tokens ever waits for the database; only the last byte of an answer does, so
that every answered request is in the history, even after a `kill -9`.
"""

import asyncio
import logging
import os
import queue
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from . import ledger, rollups
from .bulk import Table
from .models import GatewayProcess, RequestMetric, RequestText, RoutingRecord

BATCH: Final = 500
TRIES: Final = 3
SAYS_ALIVE_EVERY_S: Final = 5.0
COUNTS_EVERY_S: Final = 1.0
# What nobody waits for is written with what comes in so long: every transaction takes Python's lock
# from the loop several times.
TOGETHER_S: Final = 0.1
# Where the database does not answer, people get their answers all the same.
COMMIT_PATIENCE_S: Final = 5.0

logger = logging.getLogger(__name__)

# What `rollups` writes stays as it is, however often a request is saved.
_metrics = Table(RequestMetric, kept=("counted_as", "energy_j"))
_routings = Table(RoutingRecord)
_texts = Table(RequestText)


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it is to be remembered, whether it has just begun or is over."""

    metric: RequestMetric
    routing: RoutingRecord | None = None
    text: RequestText | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    entry: Entry
    done: asyncio.Future[None] | None = None  # None where nobody waits for it


class Recorder:
    """Commits entries in the order they came. `close` commits the rest and ends the thread."""

    def __init__(self) -> None:
        self.process = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._tidies_at = self._counts_at = 0.0
        self._counts_well = True

    def start(self) -> None:
        """Begin to write; first mark what processes that are gone have left open."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    async def close(self) -> None:
        """Commit what is left and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def note(self, entry: Entry) -> None:
        """Remember `entry`, soon."""
        self._jobs.put(_Job(entry))

    def write(self, entry: Entry) -> asyncio.Future[None]:
        """Remember `entry`; the future is done when it is committed, or can't be."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(entry, done))
        return done

    async def commit(self, entry: Entry) -> None:
        """Remember `entry`, and come back when it is committed."""
        await self.committed(self.write(entry))

    async def committed(self, written: asyncio.Future[None]) -> None:
        """Come back when what was written is committed, or does not come to be."""
        try:
            async with asyncio.timeout(COMMIT_PATIENCE_S):
                await written
        except TimeoutError:
            logger.error("The history was not written within %s s.", COMMIT_PATIENCE_S)

    def _run(self) -> None:
        try:
            while self._work_off():
                pass
        finally:
            self._leave()
            connection.close()

    def _work_off(self) -> bool:
        """Keep up with everything that is due, then one batch; False when it was the last."""
        self._keep_up()
        jobs = self._gather()
        if waiting := [job for job in jobs if job is not None]:
            self._write(waiting)
        return None not in jobs

    def _gather(self) -> list[_Job | None]:
        """What has come, after waiting for it for a second; at once if somebody waits for it."""
        jobs: list[_Job | None] = []
        until = time.monotonic() + COUNTS_EVERY_S
        while len(jobs) < BATCH:
            try:
                job = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            is_urgent = job is None or job.done is not None
            until = min(until, time.monotonic() + (0.0 if is_urgent else TOGETHER_S))
            jobs.append(job)
        return jobs

    def _keep_up(self) -> None:
        """However much there is to write: a process that does not say it is here counts as dead."""
        now = time.monotonic()
        if now >= self._tidies_at:
            self._tidies_at = now + SAYS_ALIVE_EVERY_S
            self._tidy()
        if now >= self._counts_at:
            self._counts_at = now + COUNTS_EVERY_S
            self._count()

    def _count(self) -> None:
        try:
            rollups.catch_up()
        except Exception:  # nothing that is wrong with the sums may keep requests from being saved
            connection.close()
            if self._counts_well:
                logger.exception("What has ended could not be added up.")
            self._counts_well = False
        else:
            self._counts_well = True

    def _write(self, jobs: list[_Job]) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                _commit([job.entry for job in jobs])
                break
            except Exception:  # a value that no column takes must not end the thread either
                connection.close()
                if attempt == TRIES:
                    logger.exception("%d entries of the history could not be written.", len(jobs))
        _settle([job.done for job in jobs if job.done is not None])

    def _tidy(self) -> None:
        """Say that this process is here, and mark what gone ones left open as interrupted."""
        now = timezone.now()
        try:
            GatewayProcess.objects.update_or_create(name=self.process, defaults={"seen_at": now})
            for process in GatewayProcess.objects.exclude(name=self.process):
                if now - process.seen_at > GatewayProcess.SILENT_AFTER or _is_dead(process.name):
                    RequestMetric.objects.of_process(process.name).interrupt(now)
                    process.delete()
        except DatabaseError:
            connection.close()
            logger.exception("The history could not be tidied.")

    def _leave(self) -> None:
        try:
            RequestMetric.objects.of_process(self.process).interrupt(timezone.now())
            GatewayProcess.objects.filter(name=self.process).delete()
        except DatabaseError:
            logger.exception("The history could not be closed.")
        self._count()


def _commit(entries: list[Entry]) -> None:
    """Insert or update; of several about one request, the last one is the truth."""
    newest = {entry.metric.pk: entry for entry in entries}.values()
    with transaction.atomic():
        ledger.count(entry.metric for entry in newest)
        _metrics.upsert(entry.metric for entry in newest)
        _routings.upsert(entry.routing for entry in newest if entry.routing)
        _texts.upsert(entry.text for entry in newest if entry.text)


def _is_dead(process: str) -> bool:
    """Whether a process of this very machine is gone for certain."""
    host, pid, _ = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():
        return True  # ours now, and not by that name
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _settle(written: list[asyncio.Future[None]]) -> None:
    """Tell those who wait, each loop once: to wake one takes as long as to tell many."""
    for loop in {done.get_loop() for done in written}:
        if not loop.is_closed():
            mine = [done for done in written if done.get_loop() is loop]
            loop.call_soon_threadsafe(_tell, mine)


def _tell(written: list[asyncio.Future[None]]) -> None:
    for done in written:
        if not done.done():
            done.set_result(None)
