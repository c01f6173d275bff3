"""Loss of a machine, of the master, and what comes after: EXO.md's last table."""

import asyncio
from typing import Any

import httpx2 as httpx
import pytest

from fleetweb.rehearsal import LARGE, SMALL, Fault, FaultKind, Rehearsal

from .asking import Caller, prompt, said, statuses
from .waiting import until

unhurried = pytest.mark.parametrize("speed", [10.0])  # what lasts a second is seen


async def nodes_seen(caller: Caller, door: str = "king") -> set[str]:
    topology = (await caller.get("/state/topology", door)).json()
    return set(topology["nodes"])


async def index(caller: Caller, door: str = "king") -> int:
    return int((await caller.get("/state/lastEventAppliedIdx", door)).text)


def edges_to(topology: Any, node_id: str) -> int:
    return sum(node_id in sinks for sinks in topology["connections"].values())


async def test_every_node_is_heard_and_the_index_rises_while_idle(
    fleet: Rehearsal, caller: Caller
) -> None:
    before = await caller.state()
    assert set(before["lastSeen"]) == {node.id for node in fleet.nodes}

    async def all_heard_again() -> bool:
        now = (await caller.get("/state/lastSeen")).json()
        return all(now[i][:26] > before["lastSeen"][i][:26] for i in now)

    await until(all_heard_again)
    assert await index(caller) >= before["lastEventAppliedIdx"] + len(fleet.nodes)


async def test_doors_can_be_learned_from_the_edges(fleet: Rehearsal, caller: Caller) -> None:
    connections = (await caller.get("/state/topology")).json()["connections"]
    learned = {
        f"http://{edge['sinkMultiaddr']['ip_address']}:{edge['sinkMultiaddr']['port']}"
        for sinks in connections.values()
        for edges in sinks.values()
        for edge in edges
    }
    assert learned == set(fleet.urls)
    interfaces = (await caller.get("/state/nodeNetwork")).json()
    own = [i["ipAddress"] for network in interfaces.values() for i in network["interfaces"]]
    assert len(set(own)) == len(fleet.nodes)


async def test_dead_worker_refuses_then_loses_edges_then_is_dropped_then_its_instances(
    fleet: Rehearsal, caller: Caller
) -> None:
    instance_id = await fleet.place(LARGE, nodes=["soldier1", "soldier2"])
    dead = fleet.node("soldier2")
    steps: list[str] = []

    async def steps_taken() -> bool:
        state = await caller.state()
        if edges_to(state["topology"], dead.id) < 3:
            note("edges")
        if dead.id not in state["topology"]["nodes"]:
            note("dropped")
        if instance_id not in state["instances"]:
            note("instance")
        return len(steps) == 3

    def note(step: str) -> None:
        if step not in steps:
            steps.append(step)

    await dead.kill()
    assert await refuses(caller, dead.url)
    state = await caller.state()
    assert dead.id in state["topology"]["nodes"]  # nothing says so at first
    await until(steps_taken)
    assert steps == ["edges", "dropped", "instance"]
    state = await caller.state()
    assert dead.id in state["nodeIdentities"]  # a ghost, for ever
    assert dead.id in state["nodeBackends"]
    for key in ("lastSeen", "nodeMemory", "nodeSystem", "nodeDisk", "nodeNetwork", "downloads"):
        assert dead.id not in state[key]


async def refuses(caller: Caller, url: str) -> bool:
    try:
        await caller.client.get(url + "/node_id")
    except httpx.ConnectError:
        return True
    return False


async def test_stream_of_an_instance_that_lost_a_machine_is_only_kept_alive_then_ends(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1", "soldier2"])
    heard: list[str] = []

    asked = prompt("a long story", LARGE, max_tokens=3000)
    listening = asyncio.create_task(caller.listen(asked, heard))
    await until(lambda: said(heard, "reasoning_content"))
    await fleet.node("soldier2").kill()
    await listening
    assert heard[-3:] == [": keep-alive"] * 3
    assert not any("[DONE]" in event for event in heard)
    assert not fleet.tasks


async def test_hanging_worker_accepts_and_never_answers_and_comes_back_as_itself(
    fleet: Rehearsal, caller: Caller
) -> None:
    hung = fleet.node("soldier1")
    known = hung.id
    hung.hang()
    asking = asyncio.create_task(caller.get("/node_id", "soldier1"))
    await until(lambda: dropped(caller, known))
    assert not asking.done()
    hung.resume()
    assert (await asking).json() == known
    await until(lambda: present(caller, known))


async def test_work_is_held_up_while_a_machine_hangs_and_goes_on_after(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1", "soldier2"])
    hung, heard = fleet.node("soldier2"), []

    asked = prompt("a question", LARGE, max_tokens=200)
    listening = asyncio.create_task(caller.listen(asked, heard))
    await until(lambda: said(heard, "reasoning_content"))
    hung.hang()
    await until(lambda: ": keep-alive" in heard[1:])
    hung.resume()
    await listening
    assert heard[-1] == "data: [DONE]"


async def test_loading_is_held_up_while_a_machine_hangs(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1", "soldier2"], ready=False)
    hung = fleet.node("soldier2")
    hung.hang()
    await until(lambda: dropped(caller, hung.id))  # half a minute: it would be ready by now
    assert "RunnerReady" not in statuses(await caller.state(), LARGE)


async def test_machine_killed_twice_does_not_join_from_the_grave(
    fleet: Rehearsal, caller: Caller
) -> None:
    worker = fleet.node("soldier3")
    first = worker.id
    await worker.restart()
    second = worker.id
    await worker.kill()
    await until(lambda: dropped(caller, first))
    identities = (await caller.get("/state/nodeIdentities")).json()
    assert second not in identities


async def test_machine_that_hangs_and_is_then_killed_comes_back_new(
    fleet: Rehearsal, caller: Caller
) -> None:
    worker = fleet.node("soldier3")
    worker.hang()
    asking = asyncio.create_task(caller.get("/state", "soldier3"))
    await until(lambda: worker.state_requests)
    await worker.restart()
    (outcome,) = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(outcome, httpx.TransportError)
    await until(lambda: present(caller, worker.id))


@unhurried
async def test_restarted_worker_shows_itself_then_nothing_then_all(
    fleet: Rehearsal, caller: Caller
) -> None:
    views: list[int] = []

    async def has_joined() -> bool:
        seen = len(await nodes_seen(caller, "soldier3"))
        if seen not in views[-1:]:
            views.append(seen)
        return seen >= 4

    await fleet.node("soldier3").restart()
    await until(has_joined)
    assert views[:2] == [1, 0]


async def test_restarted_worker_has_a_new_id_and_leaves_a_ghost(
    fleet: Rehearsal, caller: Caller
) -> None:
    worker = fleet.node("soldier3")
    known = worker.id
    await worker.restart()
    assert worker.id != known
    await until(lambda: present(caller, worker.id))
    await until(lambda: dropped(caller, known))
    identities = (await caller.get("/state/nodeIdentities")).json()
    names = [identity["friendlyName"] for identity in identities.values()]
    assert names.count("soldier3") == 2
    assert await nodes_seen(caller) == {node.id for node in fleet.nodes}


@unhurried
async def test_killed_master_freezes_the_view_then_empties_everything(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL, nodes=["soldier1"])
    assert fleet.master is fleet.node("king")
    await fleet.node("king").kill()
    frozen = await caller.state("soldier1")
    assert frozen["instances"] != {}
    await until(lambda: is_empty(caller))
    await until(lambda: sees(caller, 3))
    state = await caller.state("soldier1")
    assert (state["instances"], state["runners"], state["tasks"]) == ({}, {}, {})
    assert fleet.master is fleet.node("soldier1")
    assert fleet.node("king").id not in state["nodeIdentities"]


async def test_stream_hangs_when_the_master_dies(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    heard: list[str] = []

    asked = prompt("a long story", LARGE)
    listening = asyncio.create_task(caller.listen(asked, heard, "soldier1"))
    await until(lambda: said(heard, "reasoning_content"))
    await fleet.node("king").kill()
    await until(lambda: heard[-6:] == [": keep-alive"] * 6)  # a minute of them
    assert not listening.done()
    listening.cancel()


@unhurried
async def test_hanging_master_freezes_the_view_and_all_age_together(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL, nodes=["soldier1"])
    fleet.inject(Fault(FaultKind.MASTER_HANGS))
    frozen = await until(lambda: frozen_view(caller))
    assert frozen["instances"] != {}
    body = {"model_id": SMALL}
    placing = asyncio.create_task(caller.post("/place_instance", body, "soldier1"))
    await until(lambda: is_empty(caller))
    assert not placing.done()
    assert (await placing).json()["message"] == "Command received."
    await until(lambda: sees(caller, 3))


async def test_master_that_hangs_shortly_goes_on_with_everything(
    fleet: Rehearsal, caller: Caller
) -> None:
    instance_id = await fleet.place(SMALL, nodes=["soldier1"])
    king = fleet.node("king")
    king.hang()
    frozen_at = await index(caller, "soldier1")
    king.resume()
    await until(lambda: moves_on(caller, frozen_at))
    assert instance_id in (await caller.state())["instances"]
    assert fleet.master is king


@unhurried
async def test_election_empties_the_cluster(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.ELECTION))
    await until(lambda: is_empty(caller))
    await until(lambda: sees(caller, 4))
    assert (await caller.state())["instances"] == {}


@unhurried
async def test_posts_wait_while_exo_elects_and_nothing_is_lost(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.ELECTION_PAUSE))
    before = await index(caller)
    asking = asyncio.create_task(caller.chat(prompt(max_tokens=2)))
    await until(lambda: moves_on(caller, before + len(fleet.nodes)))  # about a second
    assert not fleet.tasks
    assert (await asking).json()["choices"][0]["finish_reason"] == "length"


async def dropped(caller: Caller, node_id: str) -> bool:
    return node_id not in await nodes_seen(caller)


async def present(caller: Caller, node_id: str) -> bool:
    return node_id in await nodes_seen(caller)


async def sees(caller: Caller, count: int) -> bool:
    return len(await nodes_seen(caller, "soldier1")) == count


async def is_empty(caller: Caller) -> bool:
    return await index(caller, "soldier1") == -1


async def frozen_view(caller: Caller) -> Any:
    """The state, if five looks in a row show the same: memory alone changes with every beat."""
    looks = [await caller.get("/state", "soldier1") for _ in range(5)]
    return looks[0].json() if len({look.content for look in looks}) == 1 else None


async def moves_on(caller: Caller, past: int) -> bool:
    return await index(caller, "soldier1") > past
