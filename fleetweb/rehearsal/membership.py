"""Who is in the cluster: joining, dying, hanging, coming back, and electing a master.

Times are those seen on exo 0.3.70, in seconds from the event.
"""

import asyncio

from . import shelf
from .catalogue import CATALOGUE
from .cluster import Cluster
from .machine import Machine, View, new_node_id
from .stage import Stage
from .state import ClusterState

GATHER_S = 1.0
DISK_EVERY_BEATS = 30
EDGES_SHRINK_S = (4.0, 14.0)
DROPPED_S = (30.0, 37.0)
INSTANCES_GONE_S = 47.0
RETURNS_AFTER_S = 2.0  # a machine that hung, once it goes on
ELECTION_S = 3.0  # POSTs wait this long when any machine joins or leaves
ALONE_S, EMPTY_S = 4.0, 1.0  # what a starting machine shows before it sees the others
MASTER_DEAD_FROZEN_S, MASTER_HUNG_FROZEN_S = 5.0, 13.0
REJOIN_S = 1.0


class Membership:
    """The comings and goings of machines, over one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.stage: Stage = cluster.stage
        self.master: Machine | None = None
        self.frozen: bytes | None = None  # the body of /state while no master moves it
        self.is_settled = asyncio.Event()
        self.is_settled.set()
        self._elections = 0
        self._fading: dict[Machine, asyncio.Task[None]] = {}
        self._upheaval: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """All machines are there and know each other, as after a night's run."""
        for machine in self.cluster.machines:
            self._join(machine)
            self.stage.crew.start(self._gather(machine))
        self.master = next(iter(self.cluster.machines), None)

    # the ordinary

    async def _gather(self, machine: Machine) -> None:
        """Every machine tells of itself about once a second, for as long as it is well."""
        beat = 0
        while True:
            if machine.is_well and machine.view is View.SHARED and self.frozen is None:
                self._tell(machine, beat)
            beat += 1
            await self.stage.clock.sleep(GATHER_S * self.stage.rng.uniform(0.95, 1.05))

    def _tell(self, machine: Machine, beat: int = 0) -> None:
        state = self.stage.state
        if machine.id not in state.nodes:
            return
        report(state, self.cluster, machine)
        if beat % DISK_EVERY_BEATS == 0:
            state.node_gathered_disk(machine.id, machine.disk())

    def _join(self, machine: Machine) -> None:
        state = self.stage.state
        if machine.id not in state.nodes:
            introduce(state, machine)
        for other in self.cluster.machines:
            if other is not machine and other.is_well and other.id in state.nodes:
                state.edge_created(machine.id, other.id, "127.0.0.1", other.port)
                state.edge_created(other.id, machine.id, "127.0.0.1", machine.port)
        report(state, self.cluster, machine)
        state.node_gathered_disk(machine.id, machine.disk())

    # one machine goes

    def went_silent(self, machine: Machine) -> None:
        """It died or hangs: nothing says so, it only stops being heard."""
        self.cluster.let_flow()
        if machine is self.master:
            self._overthrow(machine)
        else:
            self._fading[machine] = self.stage.crew.start(self._fade(machine.id))

    async def _fade(self, node_id: str) -> None:
        clock, rng, state = self.stage.clock, self.stage.rng, self.stage.state
        began_s = clock.elapsed_s
        edges = [(rng.uniform(*EDGES_SHRINK_S), source) for source in state.connections]
        for at_s, source in sorted(edges):
            await clock.until(began_s + at_s)
            if source != node_id:
                state.edge_deleted(source, node_id)
        await clock.until(began_s + rng.uniform(*DROPPED_S))
        state.node_timed_out(node_id)
        self.cluster.downloads.forget(node_id)
        self.elect()
        await clock.until(began_s + INSTANCES_GONE_S)
        self.cluster.node_is_lost(node_id)

    def goes_on(self, machine: Machine) -> None:
        """A machine that hung works again, under the id it had."""
        if machine is self.master and self._upheaval is not None and self.frozen is not None:
            self._upheaval.cancel()
            self._thaw()
        if fading := self._fading.pop(machine, None):
            fading.cancel()
        self.stage.crew.start(self._return(machine, machine.id))

    async def _return(self, machine: Machine, node_id: str) -> None:
        await self.stage.clock.sleep(RETURNS_AFTER_S)
        await self._thawed()
        if machine.is_well and machine.id == node_id:
            self._join(machine)
            self.elect()
            self.cluster.let_flow()

    def came_back(self, machine: Machine) -> None:
        """exo was started anew: a new id, and at first only itself to see."""
        machine.id = new_node_id(self.stage.rng)
        machine.view = View.ALONE
        self.stage.crew.start(self._find_the_others(machine, machine.id))

    async def _find_the_others(self, machine: Machine, node_id: str) -> None:
        await self.stage.clock.sleep(ALONE_S)
        machine.view = View.EMPTY
        await self.stage.clock.sleep(EMPTY_S)
        await self._thawed()
        if not machine.is_up or machine.id != node_id:
            return  # killed again before it was through
        machine.view = View.SHARED
        if self.master is None or not self.master.is_well:
            self.master = machine
        self._join(machine)
        self.elect()

    async def _thawed(self) -> None:
        while self.frozen is not None:
            await self.stage.clock.sleep(REJOIN_S)

    # masters

    def elect(self) -> None:
        """Any machine that joins or leaves pauses every POST while exo elects."""
        self._elections += 1
        self.is_settled.clear()
        self.stage.crew.start(self._settle(self._elections))

    async def _settle(self, election: int) -> None:
        await self.stage.clock.sleep(ELECTION_S)
        if election == self._elections and self.frozen is None:
            self.is_settled.set()

    def overthrow(self, frozen_s: float = 0.0) -> None:
        """An election that empties the cluster: index -1, and everything placed is gone."""
        self._freeze()
        if self._upheaval is not None:
            self._upheaval.cancel()
        self._upheaval = self.stage.crew.start(self._start_anew(frozen_s))

    def _overthrow(self, master: Machine) -> None:
        self.overthrow(MASTER_HUNG_FROZEN_S if master.is_up else MASTER_DEAD_FROZEN_S)

    def _freeze(self) -> None:
        if self.frozen is None:
            self.frozen = self.stage.state.render()
        self.is_settled.clear()
        for engine in self.cluster.engines.values():
            engine.batch.flowing.clear()

    def _thaw(self) -> None:
        self.frozen = None
        self._upheaval = None
        self.cluster.let_flow()
        self.elect()

    async def _start_anew(self, frozen_s: float) -> None:
        clock = self.stage.clock
        await clock.sleep(frozen_s)
        for machine in tuple(self._fading):
            self._fading.pop(machine).cancel()
        self.cluster.forget_everything()
        self.stage.state.emptied()
        self.frozen = self.stage.state.render()
        await clock.sleep(EMPTY_S)
        self._thaw()
        here = [m for m in self.cluster.machines if m.is_well and m.view is View.SHARED]
        self.master = next(iter(here), None)
        for machine in here:
            if machine.is_well:
                self._join(machine)
            await clock.sleep(REJOIN_S / len(here))

    # what one machine shows

    def shown_by(self, machine: Machine) -> ClusterState:
        """The state that its API serves: the shared one, or its own while it is starting."""
        if machine.view is View.SHARED:
            return self.stage.state
        own = ClusterState()
        if machine.view is View.ALONE:
            introduce(own, machine)
            report(own, self.cluster, machine)
            own.node_gathered_disk(machine.id, machine.disk())
        return own


def introduce(state: ClusterState, machine: Machine) -> None:
    """What a machine says once: who it is, where, and which models it knows."""
    state.node_joined(machine.id, machine.identity(), machine.network())
    for card in CATALOGUE.values():
        held = shelf.completed if card.id in machine.models else shelf.pending
        state.shelf.put(machine.id, card, held(machine.id, card))


def report(state: ClusterState, cluster: Cluster, machine: Machine) -> None:
    """What a machine says every second."""
    stage = cluster.stage
    memory = machine.memory(cluster.memory_on(machine.id), stage.rng)
    system = machine.system(machine.id in cluster.busy_node_ids(), stage.rng)
    state.node_gathered_info(machine.id, stage.clock.stamp(), memory, system)
