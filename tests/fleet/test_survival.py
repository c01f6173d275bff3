"""Whatever exo says, the watch goes on, says what is true, and is well again by itself."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from fleetweb.core.presence import Condition
from fleetweb.fleet.cluster_poller import ClusterPoller
from fleetweb.fleet.once import Once
from fleetweb.rehearsal import SMALL, Fault, FaultKind, Rehearsal
from tests.rehearsal.waiting import until
from tests.upstream import faulty

from .looking import PATIENCE_S, clock, looking

pytestmark = pytest.mark.usefixtures("swift")


@dataclass(frozen=True)
class Trouble:
    """A fault at every door, and what is to be said of it."""

    kind: FaultKind
    condition: Condition
    said: str


# What is broken from the first look on is known at once: nothing better was ever heard.
TROUBLES = [
    Trouble(FaultKind.STATE_MALFORMED, Condition.INVALID, "exo at"),
    Trouble(FaultKind.STATE_HTML, Condition.INVALID, "exo at"),
    Trouble(FaultKind.STATE_TRUNCATED, Condition.UNREACHABLE, "broke off"),
    Trouble(FaultKind.STATE_ERROR, Condition.UNREACHABLE, "answered 500"),
    Trouble(FaultKind.STATE_REDIRECTS, Condition.UNREACHABLE, "redirects"),
    Trouble(FaultKind.SLOW_ANSWERS, Condition.UNREACHABLE, "did not answer within 3 s"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.kind.value)
async def test_outlives(trouble: Trouble, caplog):
    fault = Fault(trouble.kind, delay_s=30.0)
    async with Rehearsal(nodes=1, faults=[fault]) as fleet, looking(fleet.urls[0]) as poller:
        with caplog.at_level(logging.INFO, "fleetweb.fleet"):
            enough = 1 if trouble.kind is FaultKind.SLOW_ANSWERS else 2
            await until(lambda: poller._misses >= enough, PATIENCE_S)
            assert poller.watch.condition is trouble.condition
            assert trouble.said in poller.watch.problem
            fleet.heal()
            await until(lambda: poller.watch.condition is Condition.WELL, PATIENCE_S)
    lines = [record.message for record in caplog.records]
    assert lines == [lines[0], f"exo at {fleet.urls[0]} answers again."]
    assert trouble.said in lines[0]


@pytest.mark.parametrize("kind", [FaultKind.STATE_HUGE, FaultKind.STATE_STRANGE])
async def test_what_is_odd_costs_no_more_than_itself(kind: FaultKind):
    async with Rehearsal(nodes=1, faults=[Fault(kind)]) as fleet, looking(fleet.urls[0]) as poller:
        await until(lambda: poller.watch.snapshot or poller.watch.problem, PATIENCE_S)
        if poller.watch.snapshot:
            assert [node.name for node in poller.watch.snapshot.nodes] == ["king"]
        fleet.heal()
        await until(lambda: poller.watch.condition is Condition.WELL, PATIENCE_S)


async def test_a_body_without_end_is_a_miss_and_not_the_end():
    sent: list[int] = []
    async with (
        faulty.serving(faulty.flood(sent, declared=False)) as url,
        looking(url) as poller,
    ):
        await until(lambda: poller.watch.problem, PATIENCE_S)
        assert poller.watch.condition in (Condition.INVALID, Condition.UNREACHABLE)


async def test_a_machine_that_dies_and_returns_is_said_to():
    async with Rehearsal(nodes=1) as fleet, looking(fleet.urls[0]) as poller:
        await until(lambda: poller.watch.condition is Condition.WELL, PATIENCE_S)
        fleet.inject(Fault(FaultKind.NODE_DIES, node="king"))
        await until(lambda: poller.watch.condition is Condition.UNREACHABLE, PATIENCE_S)
        assert "refused the connection" in poller.watch.problem
        fleet.inject(Fault(FaultKind.NODE_RETURNS, node="king"))
        await until(lambda: poller.watch.answers, PATIENCE_S)


async def test_an_election_is_told_with_what_it_unloaded(fleet, caplog):
    await fleet.place(SMALL, ["king"])
    with caplog.at_level(logging.INFO, "fleetweb.fleet"):
        async with looking(fleet.urls[0]) as poller:
            await until(lambda: poller.watch.snapshot, PATIENCE_S)
            fleet.inject(Fault(FaultKind.ELECTION))
            await until(lambda: poller.watch.condition is Condition.REELECTED, PATIENCE_S)
            assert poller.watch.lost == (SMALL,)
            await until(lambda: len(poller.watch.snapshot.nodes) == 4, PATIENCE_S)
    told = [record.message for record in caplog.records if "reelected" in record.message]
    assert told == [f"The cluster at {poller.name} is reelected."]


async def test_a_view_that_stands_still_is_told_and_so_is_its_end(caplog):
    with caplog.at_level(logging.INFO, "fleetweb.fleet"):
        async with Rehearsal(speed=1) as fleet, looking(fleet.urls[3]) as poller:
            await until(lambda: poller.watch.condition is Condition.WELL, PATIENCE_S)
            fleet.inject(Fault(FaultKind.MASTER_HANGS, for_s=4.0))
            await until(lambda: poller.watch.condition is Condition.FROZEN, PATIENCE_S)
            await until(lambda: poller.watch.condition is not Condition.FROZEN, PATIENCE_S)
    told = [record.message for record in caplog.records if "frozen" in record.message]
    assert told == [f"The cluster at {poller.name} is frozen."]


async def test_a_mistake_of_our_own_is_logged_once_and_survived(caplog, monkeypatch, fleet):
    def broken(self: ClusterPoller, snapshot: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    async with looking(fleet.urls[0]) as poller:
        await until(lambda: poller.watch.snapshot, PATIENCE_S)
        monkeypatch.setattr(ClusterPoller, "_learn_doors", broken)
        await until(lambda: poller.doors[fleet.urls[0]].failed_at, PATIENCE_S)
        failed_at = poller.doors[fleet.urls[0]].failed_at
        await until(lambda: poller.doors[fleet.urls[0]].failed_at != failed_at, PATIENCE_S)
        monkeypatch.undo()
        await until(lambda: not poller.watch.problem, PATIENCE_S)
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_sick_clusters_leave_a_well_one_alone():
    """All kinds at once on one loop: the well one is seen, none of the loops ends."""
    kinds = [trouble.kind for trouble in TROUBLES]
    async with AsyncExitStack() as stack:
        sick = [
            await stack.enter_async_context(Rehearsal(nodes=1, faults=[Fault(kind)]))
            for kind in kinds
        ]
        pollers = [await stack.enter_async_context(looking(fleet.urls[0])) for fleet in sick]
        well = await stack.enter_async_context(Rehearsal(nodes=1))
        poller = await stack.enter_async_context(looking(well.urls[0]))
        await until(lambda: poller.watch.condition is Condition.WELL, PATIENCE_S)
        await until(lambda: all(p.watch.problem for p in pollers), PATIENCE_S)
        for fleet in sick:
            fleet.heal()
        await until(lambda: all(p.watch.snapshot for p in pollers), PATIENCE_S)


def test_a_condition_is_said_once_until_it_changes(caplog):
    once = Once(logging.getLogger("fleetweb.test"))
    with caplog.at_level(logging.INFO):
        for condition in ("refused", "refused", "slow", "refused"):
            once.warn("king", condition)
        once.warn("soldier1", "refused")
        once.well("king", "well")
        once.well("king", "well")
        once.warn("king", "refused")
    said = [record.message for record in caplog.records]
    assert said == ["refused", "slow", "refused", "refused", "well", "refused"]


async def test_an_answer_of_nothing_readable_is_not_taken_for_an_empty_cluster():
    body = b'{"topology": {"nodes": 7}, "lastEventAppliedIdx": 3}'
    async with faulty.serving(faulty.reply(body)) as url:
        poller = ClusterPoller(url, clock, lambda: None)
        await poller.look()
        assert poller.watch.condition is Condition.INVALID
        await asyncio.gather(*poller._probes)
