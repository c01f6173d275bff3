"""A machine that dies under a stream: the caller and the page know long before exo says so."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fleetweb.core.presence import Condition, DoorSeen
from fleetweb.core.snapshot import RunnerPhase
from fleetweb.core.streams import Outcome, Stage
from fleetweb.fleet import live
from fleetweb.gateway.lifeline import SILENT_FOR_S, trouble_of, workers_of
from fleetweb.gateway.passage import Passage
from fleetweb.gateway.view import FleetView, Learned
from fleetweb.rehearsal import LARGE, Fault, FaultKind, Rehearsal
from tests.core.sights import (
    QWEN,
    at,
    instance,
    node,
    presence,
    shard,
    snapshot,
    task,
    watching,
)
from tests.fleet.watching import shown

from .house import ME, ask, house, loaded, prompt

RUNNING = RunnerPhase.RUNNING
SHARED = instance(shard("king", RUNNING), shard("soldier1", RUNNING))
ALONE = instance(shard("king", RUNNING), id_="alone")
KING = DoorSeen("http://king.local:52415", node="king")
DEADLINE_S = 30.0  # exo alone: 46 s


# What presence tells of a stream


def view(*, king=0.0, soldier=0.0, placed=(SHARED,), tasks=(), condition=None, doors=()):
    nodes = (node("king", heard=king), node("soldier1", heard=soldier))
    seen = presence(watching(snapshot(nodes, placed, tasks)), now=at(0))
    if condition is not None:
        clusters = tuple(replace(cluster, condition=condition) for cluster in seen.clusters)
        seen = replace(seen, clusters=clusters)
    if doors:
        seen = replace(seen, clusters=tuple(replace(c, doors=doors) for c in seen.clusters))
    return FleetView(seen)


def a_passage(stage=Stage.ANSWERING, *, silent_s=SILENT_FOR_S + 1, command_id="c"):
    passage = Passage(prompt("word", QWEN), ME, lambda _: None)
    passage.model_id, passage.cluster, passage.stage = QWEN, "home", stage
    passage.command_id = command_id
    passage.measures._arrivals.append(time.monotonic() - silent_s)
    return passage


def test_while_all_is_well_there_is_no_trouble():
    assert trouble_of(a_passage(), view()) is None


def test_a_machine_that_went_quiet_is_named():
    assert trouble_of(a_passage(), view(soldier=-6)) == (
        "soldier1, which holds a part of Qwen3-235B, has gone quiet."
    )


def test_a_door_says_who_holds_its_model_up():
    assert _held_up(view(soldier=-6, doors=(KING,))) == ["soldier1 has gone quiet"]
    assert _held_up(view(doors=(KING,))) == [None]


def _held_up(fleet):
    learned = Learned(ttft_ms={}, load_ms={}, breakers={}, waiting={})
    return [door.held_up for door in fleet.candidates(QWEN, 0, learned, {}, at(0))]


def test_words_that_still_come_prove_more():
    assert trouble_of(a_passage(silent_s=SILENT_FOR_S - 1), view(soldier=-6)) is None


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.LOADING])
def test_what_was_not_sent_has_no_machine_to_lose(stage):
    assert trouble_of(a_passage(stage), view(soldier=-6)) is None


def test_another_instance_of_the_model_may_be_the_one_that_answers():
    both = {"soldier": -6, "placed": (SHARED, ALONE)}
    assert trouble_of(a_passage(), view(**both)) is None


@pytest.mark.parametrize(("on", "in_trouble"), [("placed", True), ("alone", False)])
def test_exos_own_word_says_which_of_two_answers(on, in_trouble):
    both = view(soldier=-6, placed=(SHARED, ALONE), tasks=[task(on=on, command_id="c")])
    assert bool(trouble_of(a_passage(), both)) is in_trouble


def test_the_machines_that_work_are_those_of_the_instance_that_exo_names():
    both = view(placed=(SHARED, ALONE), tasks=[task(on="placed", command_id="c")])
    assert workers_of(a_passage(), both) == ("king", "soldier1")
    assert workers_of(a_passage(command_id=None), both) == ()
    assert workers_of(a_passage(command_id="unknown"), both) == ()


@pytest.mark.parametrize("condition", [Condition.WELL, Condition.REELECTED])
def test_what_an_election_forgot_is_lost(condition):
    assert trouble_of(a_passage(), view(placed=(), condition=condition)) == (
        "Qwen3-235B is not loaded any more: exo has started over."
    )


@pytest.mark.parametrize("condition", [Condition.UNREACHABLE, Condition.INVALID, Condition.FORMING])
def test_a_cluster_that_can_not_be_seen_is_no_proof(condition):
    assert trouble_of(a_passage(), view(placed=(), condition=condition)) is None


# On the wire, at exo's own pace


@asynccontextmanager
async def a_stream():
    """A stream of a model on two machines, in its middle; no master is among them."""
    async with Rehearsal() as fleet:
        master = fleet.master.name
        workers = [node.name for node in fleet.nodes if node.name != master][:2]
        await fleet.place(LARGE, nodes=workers)
        async with house([fleet]) as gateway:
            await loaded(LARGE)
            request = prompt("Tell me a long story.", LARGE, max_tokens=4000)
            answer = asyncio.create_task(ask(gateway, request))
            await shown(lambda p: p.streams and p.streams[0].tokens > 5)
            yield fleet, workers, answer


def other_than(door, workers):
    return next(name for name in workers if name != door)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [FaultKind.NODE_DIES, FaultKind.NODE_HANGS])
async def test_caller_and_page_are_told_of_a_machine_that_dies(fault):
    async with a_stream() as (fleet, workers, answer):
        door = (await live.current()).streams[0].node
        victim = other_than(door, workers)
        fleet.inject(Fault(fault, node=victim))
        held_up = f"Held up: {victim}, which holds "
        seen = await shown(lambda p: p.node(door).load.sentence.startswith(held_up))
        assert seen.node(door).load.state.value == "silent"
        assert seen.node(victim).load.state.value in ("quiet", "offline")
        async with asyncio.timeout(DEADLINE_S):
            told = await answer
    assert told.passage.outcome is Outcome.FAILED
    assert told.tokens > 5
    assert str(told.error) == f"{victim}, which holds a part of Qwen3-235B-Thinking, " + (
        "has gone quiet."
    )
    assert len(told.passage.attempts) == 1  # nobody else may tell the rest


@pytest.mark.django_db(transaction=True)
async def test_caller_is_told_when_the_master_dies_and_takes_everything_with_it():
    async with a_stream() as (fleet, _, answer):
        fleet.inject(Fault(FaultKind.MASTER_DIES))
        async with asyncio.timeout(DEADLINE_S):
            told = await answer
        seen = await shown(lambda p: not p.streams)
    assert told.passage.outcome is Outcome.FAILED
    assert "exo has started over" in str(told.error) or "has gone quiet" in str(told.error)
    assert all(not node.shares for node in seen.nodes)


@pytest.mark.django_db(transaction=True)
async def test_a_stream_that_ends_in_time_is_not_cut_by_the_watch():
    async with Rehearsal(speed=20.0) as fleet:
        await fleet.place(LARGE, nodes=["soldier1", "soldier2"])
        async with house([fleet]) as gateway:
            await loaded(LARGE)
            told = await ask(gateway, prompt("word " * 10_000, LARGE, max_tokens=600))
    assert told.error is None
