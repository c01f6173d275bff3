"""Watching must not slow what is watched."""

import asyncio

import httpx2 as httpx

from fleetweb.core.presence import Condition
from fleetweb.rehearsal import SMALL, Fault, FaultKind, Rehearsal
from tests.rehearsal.waiting import until

from .looking import PATIENCE_S, asked, asked_more, gaps, knows_all_doors, looking

A_SECOND = 0.95  # as the asked machine's clock sees it


async def test_asks_every_two_to_three_seconds_when_nobody_watches_and_nothing_happens(fleet):
    async with looking(fleet.urls[0]):
        await asked_more(fleet, 1)
        calm = gaps(await asked_more(fleet, 3))
    assert all(2.0 <= gap <= 3.5 for gap in calm), calm


async def test_asks_once_a_second_at_most_however_often_it_is_told_to(fleet):
    async with looking(fleet.urls[0]) as poller:
        poller.watched = True
        before = len(asked(fleet))

        def told_again() -> bool:
            poller.look_now()
            return len(asked(fleet)) >= before + 4

        await until(told_again, PATIENCE_S)
    assert min(gaps(asked(fleet))) >= A_SECOND


async def test_is_woken_by_who_wants_to_see_the_present(fleet):
    async with looking(fleet.urls[0]) as poller:
        (first,) = await asked_more(fleet, 1)
        poller.look_now()
        (second,) = await asked_more(fleet, 1)
    assert A_SECOND <= second - first < 2.0  # unasked it would have been 2.5


async def test_asks_one_door_a_second_even_if_it_answers_badly(fleet):
    fleet.inject(Fault(FaultKind.STATE_ERROR, node="king"))
    async with looking(fleet.urls[0]) as poller:
        await until(lambda: poller.watch.problem, PATIENCE_S)
        fleet.heal()
        await knows_all_doors(poller, fleet)
        fleet.inject(Fault(FaultKind.STATE_ERROR))  # at every door
        await asked_more(fleet, 3)
    assert min(gaps(asked(fleet))) >= A_SECOND


async def test_asks_a_machine_that_is_free_while_another_works():
    async with Rehearsal(speed=1) as fleet, httpx.AsyncClient(timeout=60) as caller:
        await fleet.place(SMALL, ["king"])
        async with looking(fleet.urls[0]) as poller:
            await knows_all_doors(poller, fleet)
            stream = asyncio.create_task(_ask_for_long(caller, fleet))
            await until(lambda: fleet.node("king").is_busy, PATIENCE_S)
            await until(lambda: poller.watch.snapshot.tasks, PATIENCE_S)
            disturbed = len(fleet.node("king").busy_state_requests)
            await asked_more(fleet, 3)
            assert fleet.node("king").is_busy
            assert len(fleet.node("king").busy_state_requests) == disturbed
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)


async def _ask_for_long(caller: httpx.AsyncClient, fleet: Rehearsal) -> None:
    """A stream that its caller reads until it is told to stop."""
    body = {
        "model": SMALL,
        "messages": [{"role": "user", "content": "Write a long story about a lighthouse."}],
        "stream": True,
        "max_tokens": 4000,
    }
    url = fleet.node("king").url + "/v1/chat/completions"
    async with caller.stream("POST", url, json=body) as answer:
        async for _ in answer.aiter_bytes():
            pass


async def test_asks_once_a_second_while_something_is_loading():
    async with Rehearsal(speed=1) as fleet:
        await fleet.place(SMALL, ["soldier1"], ready=False)
        async with looking(fleet.urls[0]) as poller:
            first, second, third = await asked_more(fleet, 3)
            assert poller.watch.condition is Condition.WELL
    assert max(second - first, third - second) < 2.0
