"""What is placed on the cluster and what is asked of it: exo's master, as far as callers see it."""

from collections.abc import Callable
from typing import Any

from .asking import Ask
from .catalogue import Card
from .downloads import Downloads
from .engine import Engine
from .generation import Job
from .machine import Machine
from .placement import Instance, Room, choose, new_id, place
from .stage import Stage
from .voices import Manner, compose

Json = dict[str, Any]

PLACED_AFTER_S = 0.3  # from "Command received." until the instance is seen


class Cluster:
    """The machines that are up, and the engines on them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.downloads = Downloads(stage, self._on_disk, self._is_well)
        self.machines: list[Machine] = []
        self.engines: dict[str, Engine] = {}

    def machine(self, node_id: str) -> Machine | None:
        return next((m for m in self.machines if m.id == node_id), None)

    def _on_disk(self, node_id: str, card: Card) -> None:
        if machine := self.machine(node_id):
            machine.models.add(card.id)

    def _is_well(self, node_id: str) -> bool:
        machine = self.machine(node_id)
        return machine is not None and machine.is_well

    # placing

    def rooms(self) -> list[Room]:
        """What the machines in the topology have free, counting all that was promised."""
        known = [m for m in self.machines if m.id in self.stage.state.nodes]
        return [Room(m.id, m.free_bytes(self.promised_on(m.id)), m.ring_ip) for m in known]

    def memory_on(self, node_id: str) -> int:
        return sum(engine.memory_on(node_id) for engine in self.engines.values())

    def promised_on(self, node_id: str) -> int:
        """The bytes of everything placed there, loaded or not."""
        return sum(
            engine.instance.bytes_of(shard)
            for engine in self.engines.values()
            for shard in engine.instance.shards
            if shard.node_id == node_id
        )

    def plan(
        self, card: Card, min_nodes: int = 1, sharding: str = "Pipeline", meta: str = "MlxRing"
    ) -> Instance | None:
        """Where it would go, None where it does not fit."""
        chosen = choose(card, self.rooms(), min_nodes)
        return place(card, chosen, self.stage.rng, sharding, meta) if chosen else None

    def create(self, instance: Instance, ready: bool = False) -> Engine:
        engine = Engine(self.stage, instance, self.downloads, self._given_up)
        self.engines[instance.id] = engine
        self.stage.state.instance_created(instance.id, instance.document())
        self.let_flow()
        if ready:
            engine.start_ready()
        else:
            engine.start()
        return engine

    async def create_soon(self, plan: Callable[[], Instance | None]) -> None:
        """Plan once it is this command's turn, so that it reckons with those before it."""
        await self.stage.clock.sleep(PLACED_AFTER_S)
        if (instance := plan()) is not None:
            self.create(instance)

    def delete(self, instance_id: str) -> None:
        engine = self.engines.pop(instance_id)
        self.stage.state.instance_deleted(instance_id)
        engine.shut_down()

    def _given_up(self, engine: Engine) -> None:
        self.engines.pop(engine.instance.id, None)
        self.stage.state.instance_deleted(engine.instance.id)

    # asking

    def engine_for(self, model_id: str) -> Engine | None:
        """The instance of the model with the fewest requests, as exo's master chooses."""
        serving = [e for e in self.engines.values() if e.model_id == model_id]
        return min(serving, key=lambda engine: len(engine.batch.jobs), default=None)

    def ask(self, engine: Engine, ask: Ask, manner: Manner = Manner.PLAIN) -> Job:
        """A new text generation. One that kills its runner is in hand until it does."""
        rng, card = self.stage.rng, engine.instance.card
        job = Job(
            ask=ask,
            script=compose(rng, ask.prompt, manner, card.thinks and ask.thinking),
            task_id=new_id(rng),
            command_id=new_id(rng),
        )
        self.stage.state.task_created("TextGeneration", generation_task(engine, job))
        engine.batch.take(job)
        return job

    def find(self, command_id: str) -> tuple[Engine, Job] | None:
        """The request that a stream's `id` names, while it is in hand."""
        for engine in self.engines.values():
            for job in engine.batch.jobs:
                if job.command_id == command_id and not job.muted:
                    return engine, job
        return None

    def busy_node_ids(self) -> frozenset[str]:
        """Every node of every instance that works, and does not stall."""
        busy = (e for e in self.engines.values() if e.is_busy and not e.batch.is_stalled)
        return frozenset(node_id for engine in busy for node_id in engine.instance.node_ids)

    # the topology changes

    def let_flow(self) -> None:
        """Instances go on when all their machines are well, and only then."""
        well = {machine.id for machine in self.machines if machine.is_well}
        for engine in self.engines.values():
            if well.issuperset(engine.instance.node_ids):
                engine.batch.flowing.set()
            else:
                engine.batch.flowing.clear()

    def node_is_lost(self, node_id: str) -> None:
        """Delete the instances that had a part there."""
        for engine in [e for e in self.engines.values() if node_id in e.instance.node_ids]:
            del self.engines[engine.instance.id]
            self.stage.state.instance_deleted(engine.instance.id)
            engine.lose_node()

    def forget_everything(self) -> None:
        """A new master knows of nothing that was placed."""
        for engine in self.engines.values():
            engine.vanish()
        self.engines.clear()
        self.downloads.forget()


def generation_task(engine: Engine, job: Job) -> Json:
    return {
        "taskId": job.task_id,
        "taskStatus": "Pending",
        "instanceId": engine.instance.id,
        "commandId": job.command_id,
        "taskParams": job.ask.params(),
        "errorType": None,
        "errorMessage": None,
    }
