"""An outage, second by second: what the poller inferred, from its first look to its last."""

from fleetweb.core.inference import infer
from fleetweb.core.presence import FleetPresence
from fleetweb.core.roster import SOVEREIGN_FLEET
from fleetweb.core.snapshot import ClusterSnapshot
from tests.core.sights import DOOR, GIB, at, instance, node, shard, snapshot, task, unseen

FELL_SILENT, DROPPED, RETURNED, OVER = 12, 42, 60, 75


def outage() -> list[FleetPresence]:
    """Soldier1 falls silent in the middle of a request; exo drops it, and it returns."""
    watch, previous, seen = unseen(), None, []
    for second in range(OVER):
        watch = watch.heard(_answer(second), DOOR, at(second))
        previous = infer(SOVEREIGN_FLEET, [watch], previous, at(second))
        seen.append(previous)
    return seen


def _answer(second: int) -> ClusterSnapshot:
    figures = {"memory_total_bytes": 512 * GIB, "memory_available_bytes": (400 - second) * GIB}
    king = node("king", heard=second, gpu_usage=0.5, **figures)
    if DROPPED <= second < RETURNED:
        return snapshot([king], index=100 + second)
    heard = second if second >= RETURNED else min(second, FELL_SILENT)
    nodes = [king, node("soldier1", heard=heard, number=int(second >= RETURNED))]
    if second >= RETURNED:
        return snapshot(nodes, index=100 + second)
    placed = instance(shard("king"), shard("soldier1"))
    tasks = [task("a secret garden")] if second >= 5 else []
    return snapshot(nodes, [placed], tasks, index=100 + second)
