"""What is said of real exo, moment by moment: its recorded answers, polled at several paces."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from fleetweb.core.inference import infer
from fleetweb.core.presence import CognitiveState, Condition, FleetPresence, NodePresence
from fleetweb.core.snapshot import ClusterSnapshot
from fleetweb.core.watch import ClusterWatch
from fleetweb.upstream.exo import decode_state
from tests.recordings import load, needs_recordings

from .sights import DOOR, NOW, seconds

pytestmark = needs_recordings

# As recorded, as often as the poller may ask at most, and as seldom as it does when all is calm.
PACES = [None, 1.0, 3.0]
at_every_pace = pytest.mark.parametrize("pace", PACES, ids=["recorded", "1 s", "3 s"])

NORTH, SOUTH, LAB, ANNA = "studio-north", "studio-south", "mini-lab", "macbook-anna"
KILLED = "kill-worker-in-instance-state-node4.json"


@dataclass(frozen=True)
class Moment:
    """What was said `t` seconds into a recording, on an answer recorded at `seen_t`."""

    t: float
    seen_t: float
    fleet: FleetPresence

    def node(self, name: str) -> NodePresence:
        found = self.fleet.node(name)
        assert found is not None, f"{name} is not in the fleet at {self.t}"
        return found

    def state(self, name: str) -> str:
        return self.node(name).load.state.value

    def sentence(self, name: str) -> str:
        return self.node(name).load.sentence


def answers(name: str) -> list[dict[str, Any]]:
    recorded = load(name)
    rows = recorded["rows"] if isinstance(recorded, dict) else recorded
    return [row for row in rows if row["state"]]


def with_downloads(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """exo's `downloads` are in every answer; most of the recorded rows leave them out."""
    latest: dict[str, Any] = {}
    whole = []
    for row in rows:
        latest = row["state"].get("downloads", latest)
        whole.append({**row, "state": {**row["state"], "downloads": latest}})
    return whole


def polled(
    rows: list[dict[str, Any]], pace: float | None
) -> Iterator[tuple[float, dict[str, Any]]]:
    """When a poller would have asked, and the row it would have been answered with."""
    if pace is None:
        yield from ((row["t"], row) for row in rows)
        return
    for beat in range(math.ceil(rows[-1]["t"] / pace) + 1):
        asked = rows[0]["t"] + beat * pace
        yield asked, [row for row in rows if row["t"] <= asked][-1]


def played(
    name: str, pace: float | None = None, *, whole: bool = True, ahead: timedelta = timedelta()
) -> list[Moment]:
    """The presence after each answer, with exo's clock `ahead` of where it was."""
    watch, fleet, moments = ClusterWatch("home", NOW), None, []
    rows = answers(name)
    for t, row in polled(with_downloads(rows) if whole else rows, pace):
        now = NOW + seconds(t)
        snapshot = decode_state(json.dumps(row["state"]).encode(), now)
        watch = watch.heard(shifted(snapshot, ahead), DOOR, now)
        fleet = infer((), [watch], fleet, now)
        moments.append(Moment(t, row["t"], fleet))
    return moments


def shifted(snapshot: ClusterSnapshot, ahead: timedelta) -> ClusterSnapshot:
    nodes = [
        replace(n, last_seen_at=n.last_seen_at and n.last_seen_at + ahead) for n in snapshot.nodes
    ]
    return replace(snapshot, nodes=tuple(nodes))


def single(name: str) -> Moment:
    """The presence after one answer."""
    snapshot = decode_state(json.dumps(load(name)).encode(), NOW)
    watch = ClusterWatch("home", NOW).heard(snapshot, DOOR, NOW)
    return Moment(0, 0, infer((), [watch], None, NOW))


def course(moments: list[Moment], name: str) -> list[str]:
    """The states of one machine, one after the other."""
    states = [moment.state(name) for moment in moments]
    return states[:1] + [b for a, b in pairwise(states) if a != b]


def told(moments: list[Moment], name: str, start: float, end: float) -> set[tuple[str, str]]:
    """All that a machine said of itself on answers recorded from `start` to before `end`."""
    within = [moment for moment in moments if start <= moment.seen_t < end]
    return {(moment.state(name), moment.sentence(name)) for moment in within}


WAITING = ("idle", "Present and waiting.")
SLOW = ("idle", "Breathing slow... (idle)")


# Placing


@at_every_pace
@pytest.mark.parametrize(
    ("recording", "placed", "ready"),
    [
        ("mid-placing-state-every-100ms.json", 0.35, 6.0),
        ("slow-placing-state-every-100ms.json", 0.35, 14.1),
    ],
)
def test_a_model_that_is_placed_wakes_up_and_then_waits(recording, placed, ready, pace):
    moments = played(recording, pace)
    assert course(moments, NORTH) == ["idle", "waking", "idle"]
    assert told(moments, NORTH, 0, placed) == {SLOW}
    assert {state for state, _ in told(moments, NORTH, placed, ready)} == {"waking"}
    assert told(moments, NORTH, ready, 99) == {WAITING}


def test_layers_are_counted_as_they_come_in():
    said = [moment.sentence(NORTH) for moment in played("slow-placing-state-every-100ms.json")]
    assert list(dict.fromkeys(said)) == [
        "Breathing slow... (idle)",
        "Waking up Slow-Llama: getting ready.",
        *(f"Waking up Slow-Llama: {n} of 12 layers." for n in (0, 2, 4, 7, 9, 11)),
        "Waking up Slow-Llama: warming up.",
        "Present and waiting.",
    ]


# Work


@at_every_pace
def test_an_answer_is_work_from_its_first_moment_to_its_last(pace):
    moments = played("gen-state-every-200ms.json", pace)
    assert told(moments, NORTH, 0, 0.55) == {WAITING}
    assert {state for state, _ in told(moments, NORTH, 0.55, 7.1)} == {"processing"}
    assert told(moments, NORTH, 7.1, 99) <= {WAITING}
    assert course(moments, NORTH)[:2] == ["idle", "processing"]


def test_three_at_once_are_three_in_hand_though_two_are_pending():
    moments = played("concurrent-3-state-every-200ms.json")
    in_hand = [len(moment.fleet.work) for moment in moments]
    assert list(dict.fromkeys(in_hand)) == [0, 3, 2, 1]
    assert course(moments, NORTH) == ["idle", "processing", "idle"]
    busiest = next(moment for moment in moments if len(moment.fleet.work) == 3)
    assert busiest.sentence(NORTH).endswith(", and 2 more")


@at_every_pace
def test_a_deleted_model_works_no_longer_though_its_runner_and_tasks_stay_listed(pace):
    moments = played("delete-instance-state-every-100ms.json", pace)
    assert {state for state, _ in told(moments, NORTH, 0.05, 1.6)} <= {"processing"}
    assert told(moments, NORTH, 1.6, 99) == {SLOW}
    assert all(not m.fleet.work and not m.node(NORTH).shares for m in moments if m.seen_t >= 1.6)


@at_every_pace
def test_a_request_whose_caller_went_away_is_no_work_though_its_runner_runs_on(pace):
    moments = played("disconnect-state-every-200ms.json", pace)
    assert {state for state, _ in told(moments, NORTH, 0.55, 1.4)} <= {"processing"}
    assert told(moments, NORTH, 1.4, 99) == {WAITING}


# Learning


@at_every_pace
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "as kept"])
def test_learning_neither_flickers_nor_goes_back(whole, pace):
    moments = played("downloading-state-every-500ms.json", pace, whole=whole)
    learning = [m.node(LAB).load for m in moments if m.state(LAB) == "learning"]
    percents = [load.estimated_completion_pct or 0.0 for load in learning]
    assert percents == sorted(percents)
    assert "learning" not in {moment.state(NORTH) for moment in moments}
    if whole or pace is None:
        assert course(moments, LAB) == ["idle", "learning", "idle"]
        assert percents[-1] > 75


def test_learning_ends_when_exo_has_the_last_byte():
    moments = played("downloading-state-every-500ms.json")
    assert told(moments, LAB, 0, 1.0) == {SLOW}
    assert {state for state, _ in told(moments, LAB, 1.0, 17.5)} == {"learning"}
    assert told(moments, LAB, 17.5, 99) == {SLOW}
    assert moments[2].sentence(LAB) == "Learning Slow-Llama: 0 %."
    assert moments[4].sentence(LAB) == "Learning Slow-Llama: 6 %, about 20 s left."


# A machine that dies at work


@at_every_pace
def test_a_killed_machine_is_quiet_at_once_and_offline_when_exo_drops_it(pace):
    moments = played(KILLED, pace)
    assert course(moments, NORTH) == ["idle", "processing", "quiet", "offline"]
    quiet = next(moment for moment in moments if moment.state(NORTH) == "quiet")
    assert quiet.t - load(KILLED)["kill_at"] <= (7 if pace != 3.0 else 10)
    heard_at = moments[-1].node(NORTH).last_heard_at
    assert abs(heard_at - (NOW + seconds(load(KILLED)["kill_at"]))) < seconds(1.5)
    assert told(moments, NORTH, 41.1, 99) == {
        ("offline", f"Offline. Last heard {heard_at:%H:%M:%S}.")
    }


@at_every_pace
def test_its_companion_is_held_up_until_exo_gives_the_model_up(pace):
    moments = played(KILLED, pace)
    assert told(moments, SOUTH, 0, 0.5) == {WAITING}
    assert told(moments, SOUTH, 0.5, 8.1) == {("processing", "Processing: long story")}
    assert {state for state, _ in told(moments, SOUTH, 8.1, 9.1)} <= {"processing"}
    held_up = "Held up: studio-north, which holds layers 5–8,"
    assert told(moments, SOUTH, 9.1, 41.1) == {("silent", f"{held_up} has gone quiet.")}
    assert told(moments, SOUTH, 41.1, 50.9) == {("silent", f"{held_up} is gone.")}
    assert told(moments, SOUTH, 50.9, 99) == {SLOW}


@at_every_pace
def test_machines_that_hold_nothing_of_the_model_are_left_in_peace(pace):
    moments = played(KILLED, pace)
    assert told(moments, LAB, 0, 99) == told(moments, ANNA, 0, 99) == {SLOW}


def test_the_fleet_says_what_is_the_matter():
    said = [moment.fleet.sentence for moment in played(KILLED)]
    assert list(dict.fromkeys(said)) == [
        "The fleet is present and waiting for you.",
        "Processing your request...",
        "Held up: studio-north, which holds layers 5–8, has gone quiet.",
        "Held up: studio-north, which holds layers 5–8, is gone.",
        "studio-north: Offline. Last heard 14:32:11.",
    ]


@pytest.mark.parametrize("hours", [-9, 3])
def test_exos_clock_may_be_hours_off(hours):
    here, there = played(KILLED, 1.0), played(KILLED, 1.0, ahead=timedelta(hours=hours))
    for one, other in zip(here, there, strict=True):
        assert [(n.load, n.since, n.last_heard_at) for n in one.fleet.nodes] == [
            (n.load, n.since, n.last_heard_at) for n in other.fleet.nodes
        ]


def test_none_of_the_recorded_clusters_is_called_frozen_or_elected_anew():
    for name in (KILLED, "slow-placing-state-every-100ms.json", "gen-state-every-200ms.json"):
        for pace in PACES:
            conditions = {m.fleet.clusters[0].condition for m in played(name, pace)}
            assert conditions == {Condition.WELL}


# Single answers


@pytest.mark.parametrize(
    ("recording", "machines"),
    [
        ("idle-1node-state.full.json", 1),
        ("idle-4nodes-state.full.json", 4),
        ("plain-linux-1node-state.trimmed.json", 1),
    ],
)
def test_idle_clusters_breathe_slowly(recording, machines):
    moment = single(recording)
    assert [n.load.sentence for n in moment.fleet.nodes] == ["Breathing slow... (idle)"] * machines
    assert moment.fleet.sentence == "The fleet is present and waiting for you."


def test_what_a_plain_linux_machine_cannot_measure_is_not_claimed():
    (machine,) = single("plain-linux-1node-state.trimmed.json").fleet.nodes
    signals = {fact.signal for fact in machine.load.evidence}
    assert not signals & {"gpu_usage", "power_w", "temperature_c"}
    assert 0 < machine.load.intensity < 0.2


def test_a_failed_runner_is_told_without_its_traceback():
    moment = single("runner-failed-state.trimmed.json")
    assert moment.state(NORTH) == "stumbled"
    sentence = moment.sentence(NORTH)
    assert sentence.startswith("Stumbled over Mid-Llama: ")
    assert len(sentence) < 120
    assert not any(mark in sentence for mark in ("/", "\n", "Traceback", "File"))


def test_a_ready_model_waits():
    moment = single("mid-ready-state.trimmed.json")
    assert {n.load.sentence for n in moment.fleet.nodes} == {"Present and waiting."}


def test_machines_join_hands_before_a_shared_model_loads():
    states = {
        n.name: n.load.state for n in single("cluster-3of4-ready-state.trimmed.json").fleet.nodes
    }
    assert states.pop(LAB) is CognitiveState.IDLE
    assert set(states.values()) == {CognitiveState.WAKING}
