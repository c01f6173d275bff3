"""A pretend exo fleet over real sockets: start it, use it, hurt it, stop it."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fleetweb.core.roster import SOVEREIGN_FLEET
from fleetweb.errors import ConfigError

from .catalogue import CATALOGUE, Card
from .clock import Clock
from .cluster import Cluster
from .faults import NEEDS_NODE, Fault, FaultKind
from .machine import Machine, new_node_id
from .membership import Membership
from .mischief import Mischief
from .node import Node
from .placement import Room, choose, place
from .quiet_life import live_quietly
from .stage import Stage
from .troubles import TAKES_WHILE, Troubles
from .world import World


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A text generation that /state shows."""

    id: str
    command_id: str
    instance_id: str
    model_id: str
    status: str


class Rehearsal:
    """A fleet of `nodes` machines at loopback ports from `port_base` on (0: any free ports).

    `speed` 2 lives twice as fast; the same `seed` makes the same choices. `quiet_life` gives it
    something to do by itself.
    """

    def __init__(
        self,
        nodes: int = 4,
        port_base: int = 0,
        seed: int = 1,
        speed: float = 1.0,
        quiet_life: bool = False,
        faults: Sequence[Fault] = (),
    ) -> None:
        if nodes < 1 or speed <= 0:
            raise ConfigError("A rehearsal needs at least one node and a speed above 0.")
        self._port_base, self._quiet, self._faults = port_base, quiet_life, tuple(faults)
        self._stage = Stage(Clock(speed), random.Random(seed))  # noqa: S311
        self._cluster = Cluster(self._stage)
        self._membership = Membership(self._cluster)
        self._mischief = Mischief(self._stage.clock)
        world = World(self._cluster, self._membership, self._mischief)
        self._cluster.machines = [self._machine(number) for number in range(nodes)]
        self.nodes = tuple(Node(world, machine) for machine in self._cluster.machines)
        self._troubles = Troubles(world, self.nodes)

    def _machine(self, number: int) -> Machine:
        known = SOVEREIGN_FLEET[number] if number < len(SOVEREIGN_FLEET) else None
        name = known.name if known else f"soldier{number}"
        memory_gb = known.memory_gb if known else 256
        return Machine(name, number, memory_gb, new_node_id(self._stage.rng))

    async def start(self) -> None:
        """Open every node's port; at once the cluster is formed and answers."""
        try:
            for number, node in enumerate(self.nodes):
                await node.open(self._port_base + number if self._port_base else 0)
        except OSError as error:
            await self.stop()
            port = self._port_base + number
            raise ConfigError(
                f"Port {port} for {node.name} cannot be opened: {error.strerror}."
                " Choose another --port-base, or 0 for free ports."
            ) from error
        self._membership.begin()
        if self._quiet:
            self._stage.crew.start(live_quietly(self._cluster))
        for fault in self._faults:
            self.inject(fault)

    async def stop(self) -> None:
        """Close everything; no task and no socket is left."""
        await asyncio.gather(*(node.close() for node in self.nodes))
        await self._stage.crew.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def master(self) -> Node | None:
        """Who leads now: nothing of exo's API tells."""
        master = self._membership.master
        return next((n for n in self.nodes if master and n.id == master.id), None)

    @property
    def tasks(self) -> tuple[TaskSeen, ...]:
        """The text generations that /state shows now, the cancelled ones too."""
        shown = self._stage.state.tasks.values()
        found = (task["TextGeneration"] for task in shown if "TextGeneration" in task)
        return tuple(
            TaskSeen(
                id=task["taskId"],
                command_id=task["commandId"],
                instance_id=task["instanceId"],
                model_id=task["taskParams"]["model"],
                status=task["taskStatus"],
            )
            for task in found
        )

    @property
    def chat_requests(self) -> int:
        return sum(len(node.chat_requests) for node in self.nodes)

    async def place(
        self, model: str, nodes: Sequence[str] = (), ready: bool = True, min_nodes: int = 1
    ) -> str:
        """Place a model on the named nodes (or where it fits); the instance's id is returned.

        `ready` skips the loading. Raises ConfigError for an unknown model, or where nothing fits.
        """
        card = CATALOGUE.get(model)
        if card is None:
            raise ConfigError(f"The rehearsal knows no model {model!r}.")
        rooms = self._rooms(card, nodes, min_nodes)
        if not rooms:
            raise ConfigError(f"{model} does not fit on {', '.join(nodes) or 'the fleet'}.")
        instance = place(card, rooms, self._stage.rng, "Pipeline", "MlxRing")
        self._cluster.create(instance, ready)
        return instance.id

    def _rooms(self, card: Card, nodes: Sequence[str], min_nodes: int) -> Sequence[Room]:
        rooms = self._cluster.rooms()
        if not nodes:
            return choose(card, rooms, min_nodes)
        by_id = {room.node_id: room for room in rooms}
        chosen = [by_id[self.node(name).id] for name in nodes]
        return chosen if sum(r.free_bytes for r in chosen) >= card.storage_bytes else ()

    def remove(self, instance_id: str) -> None:
        """Delete an instance, as `DELETE /instance/{id}` does."""
        self._cluster.delete(instance_id)

    def inject(self, fault: Fault) -> None:
        """Let something go wrong: now, or `fault.at` rehearsed seconds from now.

        Raises ConfigError if it names no node of this fleet.
        """
        self._check(fault)
        if fault.at == 0 and fault.kind not in TAKES_WHILE:
            self._troubles.strike(fault)
        else:
            self._stage.crew.start(self._go_wrong(fault))

    def _check(self, fault: Fault) -> None:
        names = [node.name for node in self.nodes]
        if fault.kind in NEEDS_NODE and fault.node is None:
            raise ConfigError(f"{fault.kind} needs a node: one of {', '.join(names)}.")
        if fault.node is not None and fault.node not in names:
            raise ConfigError(
                f"The rehearsal has no node {fault.node!r}; it has {', '.join(names)}."
            )

    async def _go_wrong(self, fault: Fault) -> None:
        await self._stage.clock.sleep(fault.at)
        if fault.kind in TAKES_WHILE:
            await self._troubles.befall(fault)
        else:
            self._troubles.strike(fault)

    def heal(self, kind: FaultKind | None = None) -> None:
        """End the faults that last and forget those that wait, of one kind or all."""
        self._mischief.heal(kind)
