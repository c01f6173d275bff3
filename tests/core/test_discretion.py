"""Presence without what callers wrote."""

from dataclasses import replace
from datetime import UTC, datetime

from fleetweb.core.discretion import SOMEBODYS, discreet, discreet_load
from fleetweb.core.presence import CognitiveLoad, CognitiveState, FleetPresence, NodePresence, Work
from fleetweb.core.roster import Role
from fleetweb.core.streams import Stage, Stream

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TASK = "plan a garden for my aunt Zuleika"
WORKING = CognitiveLoad(
    0.6, CognitiveState.PROCESSING, current_task=TASK, sentence=f"Processing: {TASK}"
)


def fleet(load: CognitiveLoad, sentence: str) -> FleetPresence:
    king = NodePresence("king", Role.KING, load, since=NOW)
    work = Work("t1", "home", "i1", ("king",), NOW, preview=TASK)
    stream = Stream("r1", "owner", Stage.THINKING, NOW, NOW, "a-model", preview=TASK)
    return FleetPresence(NOW, sentence, load.state, 0.6, (king,), work=(work,), streams=(stream,))


def test_a_load_keeps_its_state_and_loses_the_task():
    kept = discreet_load(WORKING)
    assert kept == replace(WORKING, current_task=None, sentence=f"Processing: {SOMEBODYS}")


def test_a_load_without_a_task_stays_as_it_is():
    idle = CognitiveLoad(0.0, CognitiveState.IDLE, sentence="Present and waiting.")
    assert discreet_load(idle) is idle


def test_no_preview_is_left_anywhere_in_a_fleet():
    seen = fleet(WORKING, f"king: Processing: {TASK}")
    assert "Zuleika" in repr(seen)
    kept = discreet(seen)
    assert "Zuleika" not in repr(kept)
    assert kept.sentence == f"king: Processing: {SOMEBODYS}"


def test_the_work_itself_stays_in_sight():
    (work,) = discreet(fleet(WORKING, "")).work
    assert (work.id, work.nodes, work.preview) == ("t1", ("king",), None)


def test_a_sentence_that_quotes_another_machines_task_is_cleared_too():
    seen = fleet(WORKING, f"soldier1: Held up over: {TASK}")
    assert "Zuleika" not in discreet(seen).sentence


def test_a_task_of_one_letter_garbles_no_sentence():
    load = replace(WORKING, current_task="e", sentence="Processing: e")
    assert discreet_load(load).sentence == f"Processing: {SOMEBODYS}"
