"""One instance's life: its runners come up, work, fail, come up again, and shut down."""

import asyncio
from collections.abc import Callable

from .asking import Ask
from .batch import Batch
from .downloads import Downloads
from .generation import Job
from .pace import READ_BYTES_PER_S
from .placement import Instance
from .records import Records, traceback_of
from .stage import Stage

APPEARS_WITHIN_S = (1.5, 5.0)  # until a placed instance has its first `runners` entry
RESTARTS_AFTER_S = 8.0
ARTIFICIAL = "Artificial runner exception - for testing purposes only."
MOST_STARTS = 5  # then exo gives the instance up


class Engine:
    """The runners of one instance, and the requests they have."""

    def __init__(
        self,
        stage: Stage,
        instance: Instance,
        downloads: Downloads,
        on_given_up: Callable[["Engine"], None],
    ) -> None:
        self.instance = instance
        card = instance.card
        self._records = Records(stage, instance)
        self.batch = Batch(stage, card, self._running, self._free, self._crashed)
        self.starts = 0
        self._loaded = {shard.node_id: 0.0 for shard in instance.shards}
        self._stage, self._downloads, self._on_given_up = stage, downloads, on_given_up
        self._life: asyncio.Task[None] | None = None

    @property
    def model_id(self) -> str:
        return self.instance.card.id

    @property
    def is_busy(self) -> bool:
        return self.batch.producing > 0

    def memory_on(self, node_id: str) -> int:
        """The bytes its weights hold there now."""
        share = self._loaded.get(node_id, 0.0)
        return sum(
            int(self.instance.bytes_of(shard) * share)
            for shard in self.instance.shards
            if shard.node_id == node_id
        )

    def start(self) -> None:
        """Come up as exo does: connect, load layer by layer, warm up."""
        self._create_runners()
        self._life = self._stage.crew.start(self._come_up())

    def start_ready(self) -> None:
        """Be there at once, as if it had been loaded long ago."""
        self._create_runners()
        for kind in ("LoadModel", "StartWarmup"):
            self._records.complete(self._records.tasks(kind))
        self._loaded = dict.fromkeys(self._loaded, 1.0)
        self._become_ready()

    def fail(self, reason: str, message: str | None = None) -> None:
        """The runner process dies. `message` is what /state shows, tracebacks and all."""
        self.batch.ready.clear()
        self._stop_life()
        self.batch.fail(reason)
        self._records.status(
            "RunnerFailed", errorMessage=message or traceback_of(reason), diagnostics=[]
        )
        self._records.shutdown()
        self._loaded = dict.fromkeys(self._loaded, 0.0)
        if self.starts >= MOST_STARTS:
            self._on_given_up(self)
        else:
            self._life = self._stage.crew.start(self._come_back())

    def caller_left(self, job: Job) -> None:
        """A caller hung up: unless it was done already, the task is Cancelled at once."""
        if job in self.batch.jobs and not job.orphaned and not job.muted:
            self.batch.caller_left(job)
            self._records.cancel(job.task_id)

    def shut_down(self) -> None:
        """The instance was deleted; its runners stay in /state for ever."""
        self._stop_life()
        self.batch.close()
        self._records.shutdown()
        self._records.status("RunnerShuttingDown")
        self._loaded = dict.fromkeys(self._loaded, 0.0)

    def vanish(self) -> None:
        """The cluster forgot it: nothing is said to anybody."""
        self._stop_life()
        self.batch.abandon()

    def lose_node(self) -> None:
        """A machine it needs is gone for good: its streams end, its runners say what they said."""
        self._stop_life()
        self.batch.close()

    def _stop_life(self) -> None:
        if self._life is not None:
            self._life.cancel()
            self._life = None

    async def _come_back(self) -> None:
        await self._spend(RESTARTS_AFTER_S)
        self._create_runners()
        await self._come_up()

    def _create_runners(self) -> None:
        self.starts += 1
        for shard in self.instance.shards:
            bound = self.instance.bound(shard)
            self._records.complete([self._records.new_task("CreateRunner", boundInstance=bound)])

    async def _come_up(self) -> None:
        appears_s = self._stage.rng.uniform(*APPEARS_WITHIN_S)
        if not self._on_disk():
            await self._spend(appears_s)
            await self._fetch()
            appears_s = 0.5
        if len(self.instance.shards) > 1:
            await self._connect(appears_s)
            appears_s = 0.5
        await self._load(appears_s)
        await self._warm_up()
        self._become_ready()

    async def _spend(self, seconds: float) -> None:
        """Nothing goes on while a machine that it needs is silent."""
        await self._stage.clock.sleep(seconds)
        await self.batch.flowing.wait()

    def _on_disk(self) -> bool:
        has = self._stage.state.shelf.has
        return all(has(node_id, self.model_id) for node_id in self.instance.node_ids)

    async def _fetch(self) -> None:
        """Runners wait in Idle while their model downloads; the task stays Running for ever."""
        self._records.status("RunnerIdle")
        for shard in self.instance.shards:
            if not self._stage.state.shelf.has(shard.node_id, self.model_id):
                metadata = self.instance.metadata(shard)
                self._records.new_task("DownloadModel", "Running", shardMetadata=metadata)
        await self._downloads.fetch(self.instance.card, self.instance.node_ids)

    async def _connect(self, appears_s: float) -> None:
        tasks = self._records.tasks("ConnectToGroup")
        await self._spend(appears_s)
        for status in ("RunnerIdle", "RunnerConnecting", "RunnerConnected"):
            self._records.status(status)
            await self._spend(0.7)
        self._records.complete(tasks)

    async def _load(self, appears_s: float) -> None:
        tasks = self._records.tasks("LoadModel")
        await self._spend(appears_s)
        self._records.run(tasks)
        most = max(shard.layers for shard in self.instance.shards)
        heaviest = max(self.instance.bytes_of(shard) for shard in self.instance.shards)
        for step in range(most):
            self._show_layers(step / most)
            await self._spend(heaviest / READ_BYTES_PER_S / most)
        self._loaded = dict.fromkeys(self._loaded, 1.0)
        self._records.complete(tasks)
        self._records.status("RunnerLoaded")
        await self._spend(0.3)

    def _show_layers(self, share: float) -> None:
        for shard in self.instance.shards:
            self._loaded[shard.node_id] = share
            self._records.loading(shard, int(shard.layers * share))

    async def _warm_up(self) -> None:
        tasks = self._records.tasks("StartWarmup", "Running")
        self._records.status("RunnerWarmingUp")
        await self._spend(self.instance.card.pace.warm_up_s)
        self._records.complete(tasks)

    def _become_ready(self) -> None:
        self._free()
        self.batch.ready.set()

    def _running(self) -> None:
        self._records.status("RunnerRunning")

    def _free(self) -> None:
        """Ready again, unless it stopped working because it failed or is gone."""
        if self._records.is_placed and not self._records.has_failed:
            self._records.status("RunnerReady", prefillServerPort=None)

    def _crashed(self, ask: Ask) -> None:
        self.fail(ARTIFICIAL if ask.messages else "list index out of range")
