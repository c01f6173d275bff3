"""Requests in hand: batches, callers who leave, doors that die."""

import asyncio
import socket
from collections import Counter
from typing import Any

from fleetweb.rehearsal import CATALOGUE, FRONTIER, LARGE, SMALL, Fault, FaultKind, Rehearsal

from .asking import Caller, prompt, said, statuses
from .waiting import until


def counted(fleet: Rehearsal) -> Counter[str]:
    return Counter(task.status for task in fleet.tasks)


async def listen(caller: Caller, model: str, heard: list[str], door: str = "king") -> None:
    await caller.listen(prompt("a long story", model, max_tokens=900), heard, door)


async def test_only_the_first_of_a_batch_runs_and_all_produce(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[list[str]] = [[] for _ in range(3)]
    callers = [asyncio.create_task(listen(caller, LARGE, h)) for h in heard]
    await until(lambda: all(said(h, "reasoning_content") for h in heard))
    assert counted(fleet) == {"Running": 1, "Pending": 2}
    assert statuses(await caller.state(), LARGE) == ["RunnerRunning"]
    await asyncio.gather(*callers)
    await until(lambda: not fleet.tasks)
    assert statuses(await caller.state(), LARGE) == ["RunnerReady"]


async def test_the_ninth_request_waits_for_a_place(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[list[str]] = [[] for _ in range(9)]
    callers = [asyncio.create_task(listen(caller, LARGE, h)) for h in heard]
    await until(lambda: sum(bool(said(h, "reasoning_content")) for h in heard) == 8)
    (waiting,) = [h for h in heard if not said(h, "reasoning_content")]
    assert set(waiting) == {": keep-alive"}
    await asyncio.gather(*callers)
    assert all(h[-1] == "data: [DONE]" for h in heard)


async def test_all_machines_of_an_instance_work_at_once(fleet: Rehearsal, caller: Caller) -> None:
    names = ["soldier1", "soldier2", "soldier3"]
    await fleet.place(LARGE, nodes=names)
    listening = asyncio.create_task(listen(caller, LARGE, []))
    await until(lambda: all(fleet.node(name).is_busy for name in names))
    assert not fleet.node("king").is_busy
    assert statuses(await caller.state(), LARGE) == ["RunnerRunning"] * 3
    await listening


async def test_request_goes_to_the_instance_with_the_fewest(
    fleet: Rehearsal, caller: Caller
) -> None:
    instances = {await fleet.place(LARGE, nodes=[f"soldier{n}"]) for n in (1, 2)}
    callers = [asyncio.create_task(listen(caller, LARGE, [])) for _ in range(2)]
    await until(lambda: {task.instance_id for task in fleet.tasks} == instances)
    await asyncio.gather(*callers)


async def test_caller_who_leaves_cancels_the_task_and_then_frees_the_runner(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    async for event in caller.events(prompt("a long story", LARGE)):
        if event.startswith("data:"):
            break
    await until(lambda: counted(fleet) == {"Cancelled": 1})
    assert fleet.node("soldier1").is_busy  # the runner has not noticed yet
    await until(lambda: not fleet.node("soldier1").is_busy)
    assert statuses(await caller.state(), LARGE) == ["RunnerReady"]
    assert counted(fleet) == {"Cancelled": 1}  # with its prompt, for ever


async def test_caller_who_leaves_while_waiting_for_one_piece_cancels_too(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    waiting = asyncio.create_task(caller.chat(prompt("a long story", LARGE)))
    await until(lambda: counted(fleet) == {"Running": 1})
    waiting.cancel()
    await until(lambda: counted(fleet) == {"Cancelled": 1})


async def test_cancel_by_name_ends_the_stream_and_leaves_the_runner_running(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[str] = []
    listening = asyncio.create_task(listen(caller, LARGE, heard))
    (task,) = await until(lambda: fleet.tasks if said(heard, "reasoning_content") else ())
    assert (await caller.post(f"/v1/cancel/{task.command_id}")).status_code == 200
    await listening
    assert not any("finish_reason" in event or "[DONE]" in event for event in heard)
    assert fleet.node("soldier1").is_busy
    assert (await caller.post(f"/v1/cancel/{task.command_id}")).status_code == 404


async def test_generation_runs_on_when_the_door_that_was_asked_dies(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[str] = []
    listening = asyncio.create_task(listen(caller, LARGE, heard, door="soldier3"))
    await until(lambda: said(heard, "reasoning_content"))
    await fleet.node("soldier3").kill()
    (outcome,) = await asyncio.gather(listening, return_exceptions=True)
    assert isinstance(outcome, Exception)  # end of file in the middle
    assert fleet.node("soldier1").is_busy
    await until(lambda: not fleet.node("soldier1").is_busy)
    assert counted(fleet) == {"Running": 1}  # nobody is left to remove it


async def test_deleted_instance_ends_its_streams_without_a_word(
    fleet: Rehearsal, caller: Caller
) -> None:
    instance_id = await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[str] = []
    listening = asyncio.create_task(listen(caller, LARGE, heard))
    await until(lambda: said(heard, "reasoning_content"))
    await caller.client.delete(f"{fleet.urls[0]}/instance/{instance_id}")
    await listening
    assert not any("finish_reason" in event or "[DONE]" in event for event in heard)
    state = await caller.state()
    assert list(state["runners"].values()) == [{"RunnerShuttingDown": {}}]  # kept for ever
    assert not fleet.tasks


async def test_two_callers_of_a_failing_runner_both_hear_of_it(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[list[str]] = [[], []]
    callers = [asyncio.create_task(listen(caller, LARGE, h)) for h in heard]
    await until(lambda: all(said(h, "reasoning_content") for h in heard))
    fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=LARGE))
    await asyncio.gather(*callers)
    assert all('"error"' in h[-2] and h[-1] == "data: [DONE]" for h in heard)


def test_small_models_are_faster_than_large_ones() -> None:
    small, large = CATALOGUE[SMALL].pace, CATALOGUE[FRONTIER].pace
    assert small.generation_tps > 5 * large.generation_tps
    assert 8 <= large.generation_tps <= 12
    assert 60 <= large.prefill_tps <= 100


async def test_half_a_request_and_no_http_hurt_nobody(fleet: Rehearsal, caller: Caller) -> None:
    port = int(fleet.urls[0].rpartition(":")[2])
    for start in (b"GET /state HT", b"\x16\x03\x01\x02\x00\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"):
        raw = socket.create_connection(("127.0.0.1", port))
        raw.sendall(start)
        raw.close()
    assert (await caller.get("/node_id")).status_code == 200


async def test_same_seed_makes_the_same_choices() -> None:
    async def answers(seed: int) -> list[Any]:
        async with Rehearsal(seed=seed, speed=60) as fleet:
            return [node.id for node in fleet.nodes], await fleet.place(SMALL)

    assert await answers(3) == await answers(3)
    assert await answers(3) != await answers(4)
