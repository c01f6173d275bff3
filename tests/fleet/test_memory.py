"""What is written down of the fleet: spans as they change, figures every ten seconds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from fleetweb.core.presence import CognitiveLoad, CognitiveState, FleetPresence, NodePresence
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role
from fleetweb.core.snapshot import ExoNode
from fleetweb.fleet.memory import Memory, still_expected
from fleetweb.fleet.models import Node, NodeSample, PresenceSpan

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
GIB = 2**30
IDLE, PROCESSING, OFFLINE = (
    CognitiveState.IDLE,
    CognitiveState.PROCESSING,
    CognitiveState.OFFLINE,
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def machine(name: str, state: CognitiveState, seconds: float, **exo: object) -> NodePresence:
    here = None if state is OFFLINE else ExoNode(f"id-{name}", name, **exo)
    load = CognitiveLoad(0.4, state, sentence="Present and waiting.")
    return NodePresence(
        name, Role.SOLDIER, load, since=NOW, exo=here, last_heard_at=at(seconds) if here else None
    )


def seen(seconds: float, *nodes: NodePresence) -> FleetPresence:
    return FleetPresence(at(seconds), "", IDLE, 0.0, tuple(nodes))


def story(memory: Memory, name: str, states: Sequence[CognitiveState]) -> None:
    """One machine in these states, a second each."""
    for second, state in enumerate(states):
        memory.remember(seen(second, machine(name, state, second)))


def spans(name: str) -> list[tuple[str, float, float | None]]:
    """State, and begin and end in seconds."""
    return [
        (
            span.state,
            (span.started_at - NOW).total_seconds(),
            span.ended_at and (span.ended_at - NOW).total_seconds(),
        )
        for span in PresenceSpan.objects.for_node(name)
    ]


def test_a_span_is_written_when_a_state_begins_and_ended_when_it_changes():
    story(Memory(), "one", [IDLE, IDLE, PROCESSING, PROCESSING, IDLE])
    assert spans("one") == [("idle", 0, 2), ("processing", 2, 4), ("idle", 4, None)]


def test_each_machine_has_one_span_that_goes_on():
    memory = Memory()
    memory.remember(seen(0, machine("one", IDLE, 0), machine("two", IDLE, 0)))
    memory.remember(seen(1, machine("one", PROCESSING, 1), machine("two", IDLE, 1)))
    going_on = PresenceSpan.objects.going_on().values_list("node__name", "state")
    assert sorted(going_on) == [("one", "processing"), ("two", "idle")]


def test_the_span_of_a_machine_that_is_no_more_ends():
    """One that went by another name until exo had gathered its own."""
    memory = Memory()
    memory.remember(seen(0, machine("worker", IDLE, 0)))
    memory.remember(seen(1, machine("king", IDLE, 1)))
    assert spans("worker") == [("idle", 0, 1)]


def test_closing_ends_what_goes_on():
    memory = Memory()
    story(memory, "one", [IDLE])
    memory.close(at(7))
    assert spans("one") == [("idle", 0, 7)]


def test_recalling_ends_what_was_cut_off_with_the_last_beat():
    story(Memory(), "one", [IDLE, PROCESSING])
    memory = Memory()
    memory.recall(SOVEREIGN_FLEET, at(5), at(3600))
    assert spans("one") == [("idle", 0, 1), ("processing", 1, 5)]
    memory.remember(seen(3601, machine("one", IDLE, 3601)))
    assert spans("one")[2] == ("idle", 3601, None)


def test_no_span_ends_before_it_began_or_after_now():
    story(Memory(), "one", [IDLE, PROCESSING])
    Memory().recall((), at(0.5), at(3600))
    assert spans("one")[1] == ("processing", 1, 1)
    story(Memory(), "two", [IDLE])
    Memory().recall((), at(9000), at(3600))
    assert spans("two") == [("idle", 0, 3600)]


def test_recalling_gives_the_last_ten_minutes_back():
    memory = Memory()
    story(memory, "one", [IDLE, PROCESSING])
    memory.close(at(2))
    recalled = Memory().recall((), at(2), at(300))
    assert [(span.node, span.state) for span in recalled.spans] == [
        ("one", IDLE),
        ("one", PROCESSING),
    ]
    assert recalled.node("one").load.state is OFFLINE
    assert recalled.node("one").last_heard_at == at(1)
    assert Memory().recall((), at(2), at(3000)).spans == ()


def test_a_machine_nobody_listed_is_expected_back_for_seven_days():
    story(Memory(), "guest", [IDLE])
    days = 24 * 3600
    assert Memory().recall((), NOW, at(6 * days)).node("guest")
    assert not Memory().recall((), NOW, at(8 * days)).node("guest")


def test_a_listed_machine_is_expected_for_ever_and_keeps_its_role():
    story(Memory(), "king", [IDLE])
    recalled = Memory().recall(SOVEREIGN_FLEET, NOW, at(90 * 24 * 3600))
    assert recalled.node("king").role is Role.KING


def test_figures_are_kept_every_ten_seconds():
    memory = Memory()
    for second in range(25):
        memory.remember(seen(second, machine("one", IDLE, second)))
    kept = [(sample.at - NOW).total_seconds() for sample in NodeSample.objects.all()]
    assert kept == [0, 10, 20]


def test_figures_that_exo_does_not_say_are_none():
    known = machine("one", IDLE, 0, memory_total_bytes=512 * GIB, memory_available_bytes=500 * GIB)
    Memory().remember(seen(0, known))
    sample = NodeSample.objects.get()
    assert (sample.memory_total_bytes, sample.memory_used_bytes) == (512 * GIB, 12 * GIB)
    assert sample.gpu_usage is sample.cpu_usage is sample.temperature_c is sample.power_w is None


def test_a_machine_that_is_away_has_no_figures():
    Memory().remember(seen(0, machine("one", OFFLINE, 0)))
    assert not NodeSample.objects.exists()
    row = Node.objects.get()
    assert row.first_seen_at is row.last_seen_at is None


def test_the_machines_row_keeps_up():
    memory = Memory()
    memory.remember(seen(0, machine("one", IDLE, 0)))
    first = Node.objects.get()
    restarted = machine("one", IDLE, 30, chip="Apple M3 Ultra")
    memory.remember(seen(30, replace(restarted, exo_id="new", memory_gb=512)))
    row = Node.objects.get()
    assert (row.exo_id, row.chip, row.memory_gb) == ("new", "Apple M3 Ultra", 512)
    assert (row.first_seen_at, row.last_seen_at) == (first.first_seen_at, at(30))


def test_nothing_is_written_while_nothing_changes(django_assert_num_queries):
    memory = Memory()
    story(memory, "one", [IDLE])
    with django_assert_num_queries(0):
        memory.remember(seen(1, machine("one", IDLE, 1)))


def test_a_write_that_failed_is_made_up_for_without_cutting_what_lasted(monkeypatch):
    memory = Memory()
    memory.remember(seen(0, machine("one", IDLE, 0), machine("two", IDLE, 0)))
    monkeypatch.setattr(Memory, "_turn", _locked)
    with pytest.raises(OperationalError):
        memory.remember(seen(1, machine("one", IDLE, 1), machine("two", PROCESSING, 1)))
    monkeypatch.undo()
    memory.forget()
    memory.remember(seen(2, machine("one", IDLE, 2), machine("two", PROCESSING, 2)))
    assert spans("one") == [("idle", 0, None)]
    assert spans("two") == [("idle", 0, 2), ("processing", 2, None)]


def _locked(*_: object) -> None:
    raise OperationalError("database is locked")


def test_no_task_is_written_down():
    task = "plan a garden for my aunt Zuleika"
    load = CognitiveLoad(0.6, PROCESSING, current_task=task, sentence=f"Processing: {task}")
    working = replace(machine("one", PROCESSING, 0), load=load)
    Memory().remember(seen(0, working))
    assert PresenceSpan.objects.get().sentence == "Processing: a request"


def test_a_new_entry_in_the_list_is_known_from_the_first_beat():
    entry = FleetNode("drum", Role.DRUMMER, "drum.local", 64)
    story(Memory(), "drum", [IDLE])
    assert Memory().recall((entry,), NOW, at(9)).node("drum").role is Role.DRUMMER


def test_who_is_away_for_seven_days_is_let_go_without_a_restart():
    away = machine("guest", OFFLINE, 0)
    presence = seen(0, away, machine("here", IDLE, 0), replace(away, name="king"))

    def names(days: float) -> list[str]:
        later = at(days * 24 * 3600)
        return [node.name for node in still_expected(presence, SOVEREIGN_FLEET, later).nodes]

    assert names(6) == ["guest", "here", "king"]
    assert names(8) == ["here", "king"]
