"""An instance at work: up to eight requests at once, all paced as its model and crowding allow."""

import asyncio
from collections.abc import Callable

from .asking import Ask
from .catalogue import Card
from .generation import Closed, Failed, Job, Prefill
from .pace import crowding
from .stage import Stage

AT_ONCE = 8  # exo's continuous batching
STOPS_WITHIN_S = (2.0, 3.0)  # from a disconnect until the runner is free
LINGERS_S = 0.2  # a Complete task is seen this long before exo removes it


class Batch:
    """The requests of one instance. The callbacks tell its runners."""

    def __init__(
        self,
        stage: Stage,
        card: Card,
        on_busy: Callable[[], None],
        on_free: Callable[[], None],
        on_crash: Callable[[Ask], None],
    ) -> None:
        self.ready = asyncio.Event()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.stalled_until_s = 0.0
        self.jobs: list[Job] = []
        self.producing = 0
        self._stage, self._card = stage, card
        self._on_busy, self._on_free, self._on_crash = on_busy, on_free, on_crash
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._last_prompt: str | None = None

    @property
    def is_stalled(self) -> bool:
        return self.stalled_until_s > self._stage.clock.elapsed_s

    def take(self, job: Job) -> None:
        self.jobs.append(job)
        job.work = self._stage.crew.start(self._serve(job))

    def caller_left(self, job: Job) -> None:
        """The task is Cancelled at once; the runner only notices after a while."""
        self._stage.state.task_status_updated(job.task_id, "Cancelled")
        self._stage.crew.start(self._stop_soon(job))

    def mute(self, job: Job) -> None:
        """`/v1/cancel`: ends the stream and leaves the runner running, as exo 0.3.70 does."""
        job.tell(Closed())
        job.muted = True
        self._stage.state.task_status_updated(job.task_id, "Cancelled")

    def fail(self, message: str) -> None:
        """The runner is gone and takes everybody's request with it."""
        for job in tuple(self.jobs):
            job.tell(Failed(message))
            if self._stage.state.task_status(job.task_id) != "Cancelled":
                self._stage.state.task_deleted(job.task_id)
            self._drop(job)

    def close(self) -> None:
        """The instance is gone: streams end without a word."""
        for job in tuple(self.jobs):
            job.tell(Closed())
            self._drop(job)

    def abandon(self) -> None:
        """The master is gone: streams neither go on nor end."""
        for job in tuple(self.jobs):
            self._drop(job)

    def _drop(self, job: Job) -> None:
        self.jobs.remove(job)
        if job.work is not None:
            job.work.cancel()

    async def _stop_soon(self, job: Job) -> None:
        await self._stage.clock.sleep(self._stage.rng.uniform(*STOPS_WITHIN_S))
        if job in self.jobs:
            self._drop(job)

    async def _serve(self, job: Job) -> None:
        await self.ready.wait()
        async with self._slots:
            if job.ask.kills:
                self._on_crash(job.ask)
                return
            self._begin(job)
            try:
                await self._prefill(job)
                await self._generate(job)
            finally:
                self._end()
        await self._finish(job)

    def _begin(self, job: Job) -> None:
        self.producing += 1
        if self.producing == 1:
            self._on_busy()
            self._run_first(job)

    def _run_first(self, job: Job) -> None:
        """Only the first of a batch becomes Running; the others produce while Pending."""
        if self._stage.state.task_status(job.task_id) == "Pending":
            self._stage.state.task_status_updated(job.task_id, "Running")

    def _end(self) -> None:
        self.producing -= 1
        if self.producing == 0:
            self._on_free()

    async def _finish(self, job: Job) -> None:
        self.jobs.remove(job)
        if job.orphaned or self._stage.state.task_status(job.task_id) == "Cancelled":
            return
        self._stage.state.task_status_updated(job.task_id, "Complete")
        await self._stage.clock.sleep(LINGERS_S)
        self._stage.state.task_deleted(job.task_id)

    async def _prefill(self, job: Job) -> None:
        job.cached_tokens = self._cached(job)
        job.due_s = self._stage.clock.elapsed_s
        total, done = job.prefill_tokens, 0
        self._progress(job, 0)
        for mark in job.prefill_marks():
            if mark > done:
                await self._spend(job, (mark - done) / self._card.pace.prefill_tps)
                done = mark
                self._progress(job, min(done, total))

    def _progress(self, job: Job, processed: int) -> None:
        self._stage.state.applied()
        job.tell(Prefill(processed, job.prefill_tokens))

    def _cached(self, job: Job) -> int:
        """What the prefix cache holds of the prompt: nearly all of a repeat, else the template."""
        before, self._last_prompt = self._last_prompt, job.ask.prompt
        if before is None:
            return 0
        return job.prompt_tokens - 2 if before == job.ask.prompt else 3

    async def _generate(self, job: Job) -> None:
        said = job.tokens()
        began_s = self._stage.clock.elapsed_s
        for token in said:
            await self._spend(job, 1 / self._card.pace.generation_tps)
            self._stage.state.applied()
            job.tell(token)
        took_s = max(1e-3, self._stage.clock.elapsed_s - began_s)
        peak = int(self._card.storage_bytes * 1.04)
        job.tell(job.stats(self._card.pace.prefill_tps, len(said) / took_s, len(said), peak))

    async def _spend(self, job: Job, seconds: float) -> None:
        """Work for a while, held up by a missing machine or a stall; late work catches up."""
        clock = self._stage.clock
        job.due_s += seconds * crowding(self.producing)
        while not self.flowing.is_set() or self.is_stalled:
            await self.flowing.wait()
            await clock.until(self.stalled_until_s)
            job.due_s = clock.elapsed_s
        await clock.sleep(job.due_s - clock.elapsed_s)
