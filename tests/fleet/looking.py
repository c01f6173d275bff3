"""Looking at rehearsals: pollers of one cluster, and what exo was asked meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

from fleetweb.fleet.cluster_poller import ClusterPoller
from fleetweb.rehearsal import Rehearsal
from tests.rehearsal.waiting import until

PATIENCE_S = 40.0


def clock() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def looking(url: str) -> AsyncIterator[ClusterPoller]:
    """A poller that runs on its own, without a database."""
    poller = ClusterPoller(url, clock, lambda: None)
    running = asyncio.create_task(poller.run())
    try:
        yield poller
        assert not running.done()  # whatever happened, it goes on
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def knows_all_doors(poller: ClusterPoller, fleet: Rehearsal) -> None:
    """Wait until every machine of the fleet has a door whose owner is known."""
    ids = {node.id for node in fleet.nodes}
    await until(lambda: ids <= {door.node_id for door in poller.doors.values()}, PATIENCE_S)


def asked(fleet: Rehearsal) -> list[float]:
    """When `/state` was asked for, at whichever door."""
    return sorted(at for node in fleet.nodes for at in node.state_requests)


async def asked_more(fleet: Rehearsal, times: int) -> list[float]:
    """The next requests for `/state`, once there were so many."""
    before = len(asked(fleet))
    await until(lambda: len(asked(fleet)) >= before + times, PATIENCE_S)
    return asked(fleet)[before:]


def gaps(moments: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]
