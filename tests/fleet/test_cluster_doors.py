"""Every node answers for all: doors are learned, left when they fail, and found again."""

import asyncio

import pytest

from fleetweb.core.presence import Condition
from fleetweb.fleet import cluster_poller
from fleetweb.fleet.cluster_poller import ClusterPoller
from fleetweb.rehearsal import Rehearsal
from tests.rehearsal.waiting import until
from tests.upstream import faulty

from .looking import PATIENCE_S, asked, clock, gaps, knows_all_doors, looking

pytestmark = pytest.mark.usefixtures("swift")


async def test_learns_whose_every_door_is_from_the_topology(fleet):
    async with looking(fleet.urls[0]) as poller:
        await knows_all_doors(poller, fleet)
        owners = {url: door.node_id for url, door in poller.doors.items()}
    assert owners == {node.url: node.id for node in fleet.nodes}


async def test_an_address_that_exo_names_but_somebody_else_answers_is_no_door(fleet):
    async with faulty.serving(faulty.reply(b'"somebody-else"')) as stranger:
        poller = ClusterPoller(fleet.urls[0], clock, lambda: None)
        await poller.look()
        await poller._probe(stranger)
        assert stranger not in poller.doors


async def test_the_next_door_answers_when_the_asked_machine_dies(fleet):
    async with looking(fleet.urls[3]) as poller:
        await knows_all_doors(poller, fleet)
        await fleet.node("soldier3").kill()
        await until(lambda: poller.doors[fleet.urls[3]].failed_at, PATIENCE_S)
        await until(lambda: not poller.watch.problem, PATIENCE_S)
        assert poller.watch.condition is Condition.WELL
        assert poller.watch.door == fleet.urls[0]


async def test_the_next_door_answers_when_the_asked_machine_hangs(fleet):
    async with looking(fleet.urls[0]) as poller:
        await knows_all_doors(poller, fleet)
        answered = asked(fleet)[-1]
        fleet.node("king").hang()
        await until(lambda: poller.doors[fleet.urls[0]].failed_at, PATIENCE_S)
        await until(lambda: not poller.watch.problem, PATIENCE_S)
        assert poller.watch.condition is Condition.WELL
        assert len([at for at in fleet.node("king").state_requests if at > answered]) <= 1


async def test_a_door_that_failed_is_not_tried_again_while_others_answer(fleet):
    async with looking(fleet.urls[0]) as poller:
        await knows_all_doors(poller, fleet)
        await fleet.node("king").kill()
        await until(lambda: poller.doors[fleet.urls[0]].failed_at, PATIENCE_S)
        failed_at = poller.doors[fleet.urls[0]].failed_at
        poller.watched = True
        heard = poller.watch.answered_at
        await until(lambda: (poller.watch.answered_at - heard).total_seconds() > 1, PATIENCE_S)
        assert poller.doors[fleet.urls[0]].failed_at == failed_at


async def test_a_machine_that_was_just_started_is_not_taken_at_its_word():
    """It shows only itself, under a new id; the others know better."""
    async with Rehearsal(speed=1) as fleet:
        poller = ClusterPoller(fleet.urls[3], clock, lambda: None)
        await poller.look()
        await until(lambda: len([d for d in poller.doors.values() if d.node_id]) == 4, PATIENCE_S)
        placed = await fleet.place("mlx-community/Llama-3.2-8B-Instruct-4bit", ["king"])
        await poller.look()
        await fleet.node("soldier3").restart()
        await poller.look()
        assert poller.watch.condition is not Condition.REELECTED
        assert poller.watch.snapshot.instance(placed)
        assert "is it starting?" in poller.watch.problem
        await poller.look()
        assert poller.watch.door != fleet.urls[3]
        assert not poller.watch.problem
        await asyncio.gather(*poller._probes)


async def test_backs_off_when_nobody_answers_and_recovers_by_itself(fleet):
    async with looking(fleet.urls[0]) as poller:
        await knows_all_doors(poller, fleet)
        for node in fleet.nodes:
            await node.kill()
        await until(lambda: poller.watch.condition is Condition.UNREACHABLE, PATIENCE_S)
        await fleet.node("king").restart()
        await until(lambda: poller.watch.answers, PATIENCE_S)
        assert poller.watch.problem is None


def test_pauses_grow_to_ten_seconds_and_are_never_alike():
    poller = ClusterPoller("http://127.0.0.1:9", clock, lambda: None)
    pauses = []
    for misses in range(1, 40):
        poller._misses = misses
        pauses.append(poller._interval())
    assert pauses[0] < pauses[3]
    longest = cluster_poller.LONGEST_BACKOFF_S
    assert min(pauses[8:]) >= longest * 0.7
    assert max(pauses) <= longest
    assert len(set(pauses)) == len(pauses)


async def test_two_addresses_of_one_machine_fail_together(fleet):
    other = fleet.urls[0].replace("127.0.0.1", "localhost")
    poller = ClusterPoller(fleet.urls[0], clock, lambda: None)
    await poller.look()
    await poller._probe(fleet.urls[0])
    await poller._probe(other)
    await fleet.node("king").kill()
    await poller.look()
    assert poller.doors[fleet.urls[0]].failed_at == poller.doors[other].failed_at
    assert gaps(asked(fleet)) == []
    await asyncio.gather(*poller._probes)


async def test_a_password_in_an_address_is_shown_nowhere(caplog):
    poller = ClusterPoller("http://ada:hunter2@127.0.0.1:9", clock, lambda: None)
    await poller.look()
    assert poller.watch.problem
    assert "hunter2" not in f"{poller.watch} {poller.name} {caplog.text}"
