"""Which streams a machine works for: by exo's own names, else by what can only be."""

from dataclasses import replace

import pytest

from fleetweb.core.snapshot import RunnerPhase, TaskStatus
from fleetweb.core.streams import SENT, Stage

from .sights import (
    QWEN,
    evidence,
    instance,
    node,
    presence,
    shard,
    snapshot,
    states,
    stream,
    task,
    watching,
)

RUNNING, LOADING = RunnerPhase.RUNNING, RunnerPhase.LOADING
NORTH = instance(shard("king", RUNNING), id_="north")
SOUTH = instance(shard("soldier1", RUNNING), id_="south")
DOUBTS = {"contradiction": True}


def fleet(*streams, placed=(NORTH,), tasks=()):
    nodes = (node("king"), node("soldier1"))
    return presence(watching(snapshot(nodes, placed, tasks)), streams=streams)


def doubting(**known):
    """A stream that whoever works for it can't help speaking of."""
    return replace(stream(Stage.THINKING, **known), **DOUBTS)


def test_by_exos_name_for_the_request():
    asked = [task(on="south", command_id="c"), task(id_="other", on="north", command_id="d")]
    seen = fleet(doubting(command_id="c"), placed=(NORTH, SOUTH), tasks=asked)
    assert (states(seen)["king"], states(seen)["soldier1"]) == ("processing", "grappling")


def test_exos_name_counts_although_its_task_is_pending():
    """Of a batch only the first is Running; the others answer while they are Pending."""
    asked = [task(on="south", command_id="c", status=TaskStatus.PENDING)]
    seen = fleet(doubting(command_id="c"), placed=(NORTH, SOUTH), tasks=asked)
    assert (states(seen)["king"], states(seen)["soldier1"]) == ("idle", "grappling")


@pytest.mark.parametrize("command_id", [None, "not shown yet"])
def test_by_its_model_where_that_is_loaded_once(command_id):
    assert states(fleet(doubting(command_id=command_id)))["king"] == "grappling"


@pytest.mark.parametrize("command_id", [None, "not shown yet"])
def test_not_at_all_where_nobody_can_know(command_id):
    seen = fleet(doubting(command_id=command_id), placed=(NORTH, SOUTH))
    assert (states(seen)["king"], states(seen)["soldier1"]) == ("idle", "idle")


def test_of_two_models_only_the_one_that_was_asked_for():
    llama = instance(shard("soldier1", RUNNING), model="org/Llama", id_="llama")
    seen = fleet(doubting(model="org/Llama"), placed=(NORTH, llama))
    assert (states(seen)["king"], states(seen)["soldier1"]) == ("idle", "grappling")


def test_streams_of_another_cluster_do_not_matter():
    assert states(fleet(doubting(cluster="attic")))["king"] == "idle"
    assert states(fleet(doubting(cluster=None)))["king"] == "idle"


def test_a_cluster_with_the_same_model_speaks_of_its_own_streams_only():
    attic = watching(snapshot([node("drum")], [instance(shard("drum", RUNNING))]), name="attic")
    home = watching(snapshot([node("king")], [NORTH]))
    seen = presence(home, attic, streams=[doubting(cluster="attic")])
    assert (states(seen)["king"], states(seen)["drum"]) == ("idle", "grappling")


@pytest.mark.parametrize("stage", Stage)
def test_only_what_was_sent_is_work(stage):
    seen = fleet(replace(stream(stage), **DOUBTS))
    assert (states(seen)["king"] == "grappling") is (stage in SENT)


@pytest.mark.parametrize("phase", [LOADING, RunnerPhase.WARMING_UP, RunnerPhase.SHUTTING_DOWN])
def test_an_instance_on_its_way_in_or_out_is_not_heard(phase):
    placed = instance(shard("king", RUNNING), shard("soldier1", phase))
    assert states(fleet(doubting(), placed=(placed,)))["king"] in ("waking", "idle")


def test_as_many_streams_as_exo_has_tasks_are_taken_to_be_those():
    streams = [stream(Stage.ANSWERING, id_=name) for name in "abc"]
    seen = fleet(*streams, tasks=[task(on="north"), task(id_="two", on="north")])
    assert evidence(seen, "king")["requests_in_hand"] == 3


def test_machines_of_one_instance_are_not_told_of_anothers_stream():
    wide = instance(shard("king", RUNNING), shard("soldier1", RUNNING), id_="wide")
    llama = instance(shard("king", RUNNING), model="org/Llama", id_="llama")
    seen = fleet(doubting(model="org/Llama"), placed=(wide, llama))
    assert (states(seen)["king"], states(seen)["soldier1"]) == ("grappling", "idle")
    assert wide.model_id == QWEN
