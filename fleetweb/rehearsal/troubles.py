"""What each fault does when its moment comes."""

from collections.abc import Sequence

from .engine import ARTIFICIAL, Engine
from .faults import Fault, FaultKind
from .node import Node
from .world import World

STALL_S = 40.0
OUT_OF_MEMORY = "[metal::malloc] Attempting to allocate more than the maximum allowed buffer size."
NO_DISK = "No space left on device"

TAKES_WHILE = frozenset(
    {
        FaultKind.NODE_DIES,
        FaultKind.NODE_HANGS,
        FaultKind.NODE_RESUMES,
        FaultKind.NODE_RETURNS,
        FaultKind.MASTER_DIES,
        FaultKind.MASTER_HANGS,
    }
)
_DIES = frozenset({FaultKind.NODE_DIES, FaultKind.MASTER_DIES})
_BEHEADS = frozenset({FaultKind.MASTER_DIES, FaultKind.MASTER_HANGS})


class Troubles:
    """Makes faults happen. A model or download that is not there takes no harm."""

    def __init__(self, world: World, nodes: Sequence[Node]) -> None:
        self._world, self._nodes = world, nodes

    async def befall(self, fault: Fault) -> None:
        """Hurt a machine, and mend it after `for_s`."""
        node = self._victim(fault)
        if node is None:
            return
        if fault.kind is FaultKind.NODE_RETURNS:
            await node.restart()
        elif fault.kind is FaultKind.NODE_RESUMES:
            node.resume()
        else:
            await self._hurt(node, fault.kind in _DIES, fault.for_s)

    def _victim(self, fault: Fault) -> Node | None:
        """The machine that is meant; None where no master is left."""
        if fault.kind in _BEHEADS:
            master = self._world.membership.master
            return next((n for n in self._nodes if master and n.id == master.id), None)
        return next(node for node in self._nodes if node.name == fault.node)

    async def _hurt(self, node: Node, dies: bool, for_s: float | None) -> None:
        if dies:
            await node.kill()
        else:
            node.hang()
        if for_s is not None:
            await self._world.clock.sleep(for_s)
            await self._mend(node, dies)

    async def _mend(self, node: Node, died: bool) -> None:
        if died:
            await node.restart()
        else:
            node.resume()

    def strike(self, fault: Fault) -> None:
        """Everything else, at once."""
        match fault.kind:
            case FaultKind.ELECTION:
                self._world.membership.overthrow()
            case FaultKind.ELECTION_PAUSE:
                self._world.membership.elect()
            case FaultKind.DOWNLOAD_FAILS:
                self._fail_downloads(fault)
            case FaultKind.RUNNER_FAILS | FaultKind.TOKENS_STALL:
                for engine in tuple(self._world.cluster.engines.values()):
                    if fault.model in (None, engine.model_id):
                        self._trouble(engine, fault)
            case _:
                self._world.mischief.add(fault)

    def _trouble(self, engine: Engine, fault: Fault) -> None:
        if fault.kind is FaultKind.RUNNER_FAILS:
            engine.fail(ARTIFICIAL if engine.batch.ready.is_set() else OUT_OF_MEMORY)
        else:
            stall_s = STALL_S if fault.for_s is None else fault.for_s
            engine.batch.stalled_until_s = self._world.clock.elapsed_s + stall_s

    def _fail_downloads(self, fault: Fault) -> None:
        downloads = self._world.cluster.downloads
        for node_id, card in downloads.underway():
            if fault.model in (None, card.id):
                downloads.fail(node_id, card, NO_DISK)
