"""What the fleet says as a whole, and of its clusters."""

from dataclasses import replace
from datetime import datetime

import pytest

from fleetweb.core.doors import Door
from fleetweb.core.presence import (
    ClusterPresence,
    CognitiveLoad,
    CognitiveState,
    Condition,
    DoorSeen,
    NodePresence,
)
from fleetweb.core.roster import Role
from fleetweb.core.voice import LOSS_IS_NEWS, cluster_presence, fleet_says
from fleetweb.core.watch import ClusterWatch

from .sights import (
    DOOR,
    NOW,
    OTHER_DOOR,
    at,
    instance,
    node,
    pair,
    shard,
    snapshot,
    unseen,
    watching,
)


def machine(
    state: str, sentence: str = "Something.", *, name: str = "king", heard: bool = True, **load
) -> NodePresence:
    state = CognitiveState(state)
    return NodePresence(
        name=name,
        role=Role.SOLDIER,
        load=CognitiveLoad(load.pop("intensity", 0.1), state, sentence=sentence, **load),
        since=NOW,
        exo=None if state is CognitiveState.OFFLINE else node(name),
        last_heard_at=NOW if heard else None,
    )


def says(*machines: NodePresence, now=NOW) -> tuple[str, str]:
    state, sentence = fleet_says(machines, now)
    return state.value, sentence


@pytest.mark.parametrize("machines", [(), (machine("offline"),), (machine("offline"),) * 2])
def test_a_fleet_of_which_nobody_is_here_sleeps(machines):
    assert says(*machines) == ("offline", "The fleet is sleeping...")


def test_a_fleet_with_nothing_to_do_waits():
    assert says(machine("idle"), machine("idle")) == (
        "idle",
        "The fleet is present and waiting for you.",
    )


@pytest.mark.parametrize("state", ["reading", "processing"])
def test_a_fleet_at_work_says_so(state):
    assert says(machine("idle"), machine(state)) == ("processing", "Processing your request...")


@pytest.mark.parametrize("state", ["grappling", "resolving"])
def test_deep_thought_of_one_is_the_fleets(state):
    assert says(machine("processing"), machine(state)) == (state, "Deep thinking in progress...")


def test_hard_work_is_deep_thought():
    assert says(machine("processing", intensity=0.9)) == (
        "processing",
        "Deep thinking in progress...",
    )


@pytest.mark.parametrize("state", ["learning", "waking"])
def test_learning_and_waking_are_told_while_nobody_works(state):
    busy = machine(state, "Waking up Qwen3.")
    assert says(machine("idle"), busy) == (state, "Waking up Qwen3.")
    assert says(machine("processing"), busy)[0] == "processing"


def test_the_machine_that_is_furthest_behind_tells_of_waking():
    late = machine("waking", "34 of 94 layers.", estimated_completion_pct=36.2)
    ahead = machine("waking", "90 of 94 layers.", estimated_completion_pct=95.7)
    ready = machine("waking", "Ready here.")
    assert says(ready, ahead, late)[1] == "34 of 94 layers."


@pytest.mark.parametrize("state", ["quiet", "stumbled", "circling", "silent"])
def test_a_machine_that_needs_its_owner_speaks_for_all(state):
    needy = machine(state, "Help.", name="soldier2")
    assert says(machine("grappling"), machine("learning"), needy) == (state, "soldier2: Help.")


def test_work_that_stands_still_is_told_first_then_the_order_of_the_states():
    names = ["circling", "stumbled", "offline", "quiet", "silent"]
    needy = [machine(state, name=state) for state in names]
    order = []
    for _ in names:
        order.append(says(machine("idle"), *needy)[0])
        needy = [m for m in needy if m.name != order[-1]]
    assert order == ["silent", "offline", "quiet", "stumbled", "circling"]


def test_a_lost_machine_is_the_fleets_news_for_five_minutes():
    lost = machine("offline", "Offline. Last heard 14:32:07.", name="soldier1")
    assert says(machine("idle"), lost, now=NOW + LOSS_IS_NEWS) == (
        "offline",
        "soldier1: Offline. Last heard 14:32:07.",
    )
    assert says(machine("idle"), lost, now=at(301))[0] == "idle"


def test_a_machine_that_was_never_here_is_no_news():
    assert says(machine("idle"), machine("offline", heard=False))[0] == "idle"


# Clusters

PLACED = instance(shard("king"), shard("soldier1"))


def of_cluster(watch: ClusterWatch, now: datetime) -> ClusterPresence:
    return cluster_presence(watch, {"id-king-0": "king"}, now)


def test_a_cluster_that_is_well_says_nothing():
    seen = of_cluster(watching(pair()), NOW)
    assert (seen.condition, seen.sentence, seen.advice) == (Condition.WELL, None, None)
    assert (seen.door, seen.answered_at) == (DOOR, NOW)


def test_nothing_is_said_of_a_cluster_before_it_was_asked():
    assert of_cluster(unseen(), NOW).sentence is None


def test_a_cluster_whose_view_stands_still_blames_the_master():
    seen = of_cluster(watching(*[pair()] * 8), at(7))
    assert seen.sentence == "exo's view of the fleet stands still: its master hangs."
    assert "restart exo" in (seen.advice or "")


def test_an_election_tells_that_all_that_was_loaded_is_gone():
    seen = of_cluster(watching(pair(PLACED), snapshot(index=-1)), at(1))
    assert seen.sentence == (
        "exo has just started over with a new master: "
        "everything that was loaded is gone (Qwen3-235B)."
    )
    assert "Load the models" in (seen.advice or "")


def test_an_election_that_cost_nothing_says_nothing_of_a_loss():
    seen = of_cluster(watching(pair(), snapshot(index=-1)), at(1))
    assert seen.sentence == "exo has just started over with a new master."
    assert "Load" not in (seen.advice or "")


def test_a_cluster_that_is_forming_asks_for_patience():
    seen = of_cluster(watching(snapshot(index=-1)), NOW)
    assert seen.sentence == "exo is starting: its machines have not found each other yet."


@pytest.mark.parametrize("condition", [Condition.UNREACHABLE, Condition.INVALID])
def test_trouble_is_told_since_the_last_good_answer(condition):
    lost = watching(pair()).missed("exo at king took too long.", condition, DOOR, at(6))
    assert of_cluster(lost, at(9)).sentence == "exo at king took too long, since 14:32:07."


def test_trouble_from_the_start_is_told_since_the_first_attempt():
    never = replace(unseen(), since=at(-90)).missed("Refused", Condition.UNREACHABLE, DOOR, at(0))
    assert of_cluster(never, at(9)).sentence == "Refused, since 14:32:07."


@pytest.mark.parametrize("condition", Condition)
def test_every_sentence_about_a_cluster_comes_with_advice(condition):
    seen = of_cluster(replace(watching(pair()), condition=condition), NOW)
    assert bool(seen.sentence) == bool(seen.advice)


def test_every_door_is_told_with_whose_it_is_and_whether_it_answers():
    doors = Door(DOOR, "id-king-0"), Door(OTHER_DOOR, None, failed_at=NOW)
    seen = of_cluster(replace(watching(pair()), doors=doors), NOW)
    assert seen.doors == (DoorSeen(DOOR, "king"), DoorSeen(OTHER_DOOR, None, answers=False))
