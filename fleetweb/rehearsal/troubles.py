"""What each fault does when its moment comes."""

from collections.abc import Sequence

from .cluster import Cluster
from .engine import ARTIFICIAL, Engine
from .faults import Fault, FaultKind
from .membership import Membership
from .mischief import Mischief
from .node import Node

STALL_S = 40.0
OUT_OF_MEMORY = "[metal::malloc] Attempting to allocate more than the maximum allowed buffer size."
NO_DISK = "No space left on device"


async def cause(
    fault: Fault,
    cluster: Cluster,
    membership: Membership,
    mischief: Mischief,
    nodes: Sequence[Node],
) -> None:
    """Let it happen now. A model or download that is not there takes no harm."""
    match fault.kind:
        case FaultKind.NODE_DIES | FaultKind.NODE_HANGS | FaultKind.NODE_RESUMES:
            await _hurt(fault, next(n for n in nodes if n.name == fault.node), cluster)
        case FaultKind.NODE_RETURNS:
            await next(n for n in nodes if n.name == fault.node).restart()
        case FaultKind.MASTER_DIES | FaultKind.MASTER_HANGS:
            await _behead(fault, cluster, membership, nodes)
        case FaultKind.ELECTION:
            membership.overthrow()
        case FaultKind.ELECTION_PAUSE:
            membership.elect()
        case FaultKind.RUNNER_FAILS | FaultKind.TOKENS_STALL | FaultKind.DOWNLOAD_FAILS:
            _trouble_model(fault, cluster)
        case _:
            mischief.add(fault)


async def _hurt(fault: Fault, node: Node, cluster: Cluster) -> None:
    if fault.kind is FaultKind.NODE_RESUMES:
        node.resume()
    elif fault.kind is FaultKind.NODE_DIES:
        await node.kill()
    else:
        node.hang()
    if fault.for_s is not None:
        await cluster.stage.clock.sleep(fault.for_s)
        await _mend(fault, node)


async def _mend(fault: Fault, node: Node) -> None:
    if fault.kind is FaultKind.NODE_DIES:
        await node.restart()
    else:
        node.resume()


async def _behead(
    fault: Fault, cluster: Cluster, membership: Membership, nodes: Sequence[Node]
) -> None:
    master = membership.master
    node = next((n for n in nodes if master is not None and n.id == master.id), None)
    if node is None:
        return
    as_node = FaultKind.NODE_DIES if fault.kind is FaultKind.MASTER_DIES else FaultKind.NODE_HANGS
    await _hurt(Fault(as_node, node=node.name, for_s=fault.for_s), node, cluster)


def _trouble_model(fault: Fault, cluster: Cluster) -> None:
    if fault.kind is FaultKind.DOWNLOAD_FAILS:
        _fail_downloads(fault, cluster)
    for engine in tuple(cluster.engines.values()):
        if fault.model in (None, engine.model_id):
            _trouble(fault, engine, cluster)


def _trouble(fault: Fault, engine: Engine, cluster: Cluster) -> None:
    if fault.kind is FaultKind.RUNNER_FAILS:
        engine.fail(ARTIFICIAL if engine.batch.ready.is_set() else OUT_OF_MEMORY)
    elif fault.kind is FaultKind.TOKENS_STALL:
        stall_s = STALL_S if fault.for_s is None else fault.for_s
        engine.batch.stalled_until_s = cluster.stage.clock.elapsed_s + stall_s


def _fail_downloads(fault: Fault, cluster: Cluster) -> None:
    for node_id, card in cluster.downloads.underway():
        if fault.model in (None, card.id):
            cluster.downloads.fail(node_id, card, NO_DISK)
