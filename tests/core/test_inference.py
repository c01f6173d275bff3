"""The fleet's presence, folded from moment to moment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetweb.core.inference import TRAIL_SECONDS, infer, nobody_yet
from fleetweb.core.presence import CognitiveState, Condition, FleetPresence
from fleetweb.core.roster import FleetNode, Role
from fleetweb.core.snapshot import (
    ClusterSnapshot,
    Download,
    DownloadPhase,
    ExoNode,
    Instance,
    Runner,
    RunnerPhase,
    Shard,
    Task,
    TaskStatus,
)
from fleetweb.core.streams import Stage
from fleetweb.core.watch import ClusterWatch

from .sights import (
    DOOR,
    GIB,
    NOW,
    OTHER_DOOR,
    at,
    exo_at,
    instance,
    node,
    pair,
    presence,
    said,
    shard,
    snapshot,
    states,
    stream,
    task,
    unseen,
    watching,
)

TEN_MINUTES = timedelta(minutes=10)
SHARED = instance(shard("king", RunnerPhase.RUNNING), shard("soldier1", RunnerPhase.RUNNING))


def folded(answers: Sequence[ClusterSnapshot], *, every: float = 1.0) -> FleetPresence:
    """The presence after `answers`, inferred after each of them."""
    watch, fleet = unseen(), None
    for step, answer in enumerate(answers):
        watch = watch.heard(answer, DOOR, at(step * every))
        fleet = presence(watch, previous=fleet, now=at(step * every))
    assert fleet is not None
    return fleet


def spans_of(fleet: FleetPresence, name: str) -> list[tuple[str, datetime, datetime | None]]:
    return [(s.state.value, s.started_at, s.ended_at) for s in fleet.spans if s.node == name]


# Who is there


def test_before_anybody_has_looked_nothing_is_said_of_any_machine():
    fleet = nobody_yet(NOW)
    assert (fleet.nodes, fleet.sentence) == ((), "Looking for your machines...")


def test_a_configured_machine_that_was_never_seen_is_not_here_yet():
    fleet = presence(watching(snapshot([node("king")])))
    assert said(fleet, "soldier3") == "Not here yet."
    assert fleet.node("soldier3").memory_gb == 256
    assert states(fleet)["soldier3"] == "offline"


def test_the_king_comes_first_then_the_owners_order_then_the_others_by_name():
    fleet = presence(
        watching(snapshot([node("zoe"), node("soldier2"), node("anna"), node("king")]))
    )
    assert list(states(fleet)) == ["king", "soldier1", "soldier2", "soldier3", "anna", "zoe"]


def test_a_machine_that_leaves_was_last_heard_when_exo_heard_it():
    fleet = folded([pair(), snapshot([node("king", heard=1)], index=101)])
    assert said(fleet, "soldier1") == "Offline. Last heard 14:32:07."
    assert fleet.node("soldier1").exo_id == "id-soldier1-0"


def test_memory_is_what_was_seen_and_else_what_the_owner_said():
    mac = node("king", memory_total_bytes=511 * GIB + GIB // 2)
    fleet = presence(watching(snapshot([mac, node("soldier1"), node("lab")])))
    assert [fleet.node(n).memory_gb for n in ("king", "soldier1", "lab")] == [512, 256, None]


def test_a_machine_whose_name_comes_later_appears_with_it():
    fleet = folded([snapshot([node("")]), snapshot([replace(node("", heard=1), name="lab")])])
    assert states(fleet)["lab"] == "idle"


def test_a_machine_that_turns_out_to_be_listed_is_not_mourned_under_its_first_name():
    mac = node("Mac Studio")
    found = replace(mac, addresses=("http://10.0.0.4:52415",), last_seen_at=exo_at(1))
    roster = [FleetNode("king", Role.KING, "10.0.0.4", 512)]
    watch = watching(snapshot([mac]))
    before = presence(watch, fleet=roster)
    assert states(before) == {"king": "offline", "Mac Studio": "idle"}
    watch = watch.heard(snapshot([found], index=101), DOOR, at(1))
    after = presence(watch, previous=before, now=at(1), fleet=roster)
    assert states(after) == {"king": "idle"}
    assert spans_of(after, "Mac Studio") == [("idle", at(0), at(1))]


def test_a_restarted_machine_keeps_its_past():
    """It comes back under a new id while its old one is still counted in."""
    north = ("http://10.0.0.1:52415",)
    old = node("king", heard=0, addresses=north)
    new = node("king", heard=3, number=1, addresses=north)
    answers = [snapshot([old], index=t) for t in range(3)] + [snapshot([old, new], index=3)]
    fleet = folded(answers)
    assert fleet.node("king").exo_id == "id-king-1"
    assert fleet.node("king").since == NOW
    assert fleet.node("king").trail == (0.0,) * 4
    assert spans_of(fleet, "king") == [("idle", NOW, None)]


def test_every_machine_says_what_it_holds_of_a_model():
    fleet = presence(watching(pair(SHARED, tasks=[task()])))
    (share,) = fleet.node("soldier1").shares
    assert (share.start_layer, share.end_layer, share.n_layers) == (47, 94, 94)
    assert (share.companions, share.at_work, share.phase) == (("king",), True, "running")


# Elections


@pytest.mark.parametrize("after", [[], [node("king", heard=1)]], ids=["empty", "index fell"])
def test_nobody_is_called_offline_for_fifteen_seconds_after_an_election(after):
    answers = [pair(SHARED, index=3000), *[snapshot(after, index=t) for t in range(-1, 15)]]
    fleet = folded(answers)
    assert states(fleet)["soldier1"] == "quiet"
    assert said(fleet, "soldier1") == (
        "Gone quiet. exo is starting over with a new master and does not count it in yet."
    )
    assert fleet.state is CognitiveState.QUIET
    assert states(folded([*answers, snapshot(after, index=15)]))["soldier1"] == "offline"


def test_an_election_is_told_as_the_clusters():
    (cluster,) = folded([pair(SHARED), snapshot(index=-1)]).clusters
    assert cluster.condition is Condition.REELECTED
    assert "everything that was loaded is gone" in (cluster.sentence or "")


def test_a_machine_that_was_gone_before_an_election_is_not_waited_for_in_it():
    without = [snapshot([node("king", heard=t)], [SHARED], index=100 + t) for t in (1, 2)]
    fleet = folded([pair(SHARED), *without, snapshot(index=-1)])
    assert (states(fleet)["king"], states(fleet)["soldier1"]) == ("quiet", "offline")


def test_a_machine_that_was_never_seen_is_not_waited_for_in_an_election():
    fleet = folded([pair(), snapshot(index=-1)])
    assert said(fleet, "soldier3") == "Not here yet."


# Missed beats


def test_a_missed_beat_changes_nothing_of_the_presence():
    watch = watching(pair(SHARED, tasks=[task()]))
    before = presence(watch)
    missed = watch.missed("took too long", Condition.UNREACHABLE, DOOR, at(3))
    after = presence(missed, previous=before, now=at(3))
    assert states(after) == states(before)
    assert [n.since for n in after.nodes] == [n.since for n in before.nodes]
    assert after.work == before.work
    assert after.clusters == before.clusters


def test_a_cluster_that_is_lost_takes_its_machines_offline_and_gives_them_back():
    watch = watching(pair())
    before = presence(watch)
    watch = watch.missed("refused", Condition.UNREACHABLE, DOOR, at(6))
    lost = presence(watch, previous=before, now=at(6))
    assert states(lost)["king"] == "offline"
    assert lost.sentence == "exo has stopped answering."
    watch = watch.heard(pair(heard=9, index=109), OTHER_DOOR, at(9))
    back = presence(watch, previous=lost, now=at(9))
    assert states(back)["king"] == "idle"
    assert spans_of(back, "king") == [
        ("idle", at(0), at(6)),
        ("offline", at(6), at(9)),
        ("idle", at(9), None),
    ]


def test_one_lost_cluster_leaves_the_other_alone():
    attic = watching(snapshot([node("king")]), name="attic")
    cellar = watching(snapshot([node("lab")]), name="cellar")
    before = presence(attic, cellar)
    lost = attic.missed("refused", Condition.UNREACHABLE, DOOR, at(6))
    seen = states(presence(lost, cellar, previous=before, now=at(6)))
    assert (seen["king"], seen["lab"]) == ("offline", "idle")


# Since, trail, spans, work


def test_a_state_keeps_the_time_it_began():
    working = [pair(SHARED, tasks=[task()], heard=t, index=t) for t in range(2, 6)]
    fleet = folded([pair(SHARED), pair(SHARED, heard=1, index=101), *working])
    assert fleet.node("king").since == at(2)


@pytest.mark.parametrize(("every", "inferred"), [(0.2, 50), (1.0, 10), (2.0, 5), (3.0, 4)])
def test_the_trail_has_a_value_a_second_however_often_is_inferred(every, inferred):
    fleet = folded([pair(heard=0, index=n) for n in range(inferred)], every=every)
    assert fleet.at == at((inferred - 1) * every)
    assert len(fleet.node("king").trail) == 1 + int((inferred - 1) * every)


def test_the_trail_holds_what_was_known_until_more_is():
    fleet = folded([pair(), pair(SHARED, tasks=[task()], heard=3, index=101)], every=3)
    assert fleet.node("king").trail == (0.0, 0.0, 0.0, 0.6)
    assert fleet.node("soldier3").trail == (None,) * 4


def test_the_trail_is_a_minute_long():
    fleet = folded([pair(heard=t, index=t) for t in range(70)])
    assert len(fleet.node("king").trail) == TRAIL_SECONDS
    assert len(presence(watching(pair()), previous=fleet, now=at(9e5)).node("king").trail) == 60


def test_spans_close_when_the_state_changes():
    working = pair(SHARED, tasks=[task()], heard=2, index=102)
    fleet = folded([pair(), pair(heard=1, index=101), working, pair(heard=3, index=103)])
    assert spans_of(fleet, "king") == [
        ("idle", at(0), at(2)),
        ("processing", at(2), at(3)),
        ("idle", at(3), None),
    ]


def test_spans_are_kept_for_ten_minutes_after_they_ended():
    fleet = folded([pair(), pair(SHARED, tasks=[task()], heard=1, index=101)])
    watch = watching(pair(heard=2, index=102))
    kept = presence(watch, previous=fleet, now=at(1) + TEN_MINUTES - timedelta(milliseconds=1))
    assert [state for state, _, _ in spans_of(kept, "king")] == ["idle", "processing", "idle"]
    dropped = presence(watch, previous=kept, now=at(1) + TEN_MINUTES)
    assert [state for state, _, _ in spans_of(dropped, "king")] == ["processing", "idle"]


def test_a_span_that_lasts_is_kept_however_long():
    old = presence(watching(pair()))
    fleet = presence(watching(pair()), previous=old, now=NOW + 9 * TEN_MINUTES)
    assert spans_of(fleet, "king") == [("idle", NOW, None)]


def test_work_is_known_since_it_was_first_seen():
    asked = [pair(SHARED, tasks=[task()], heard=t, index=t) for t in range(4)]
    (work,) = folded(asked).work
    assert (work.started_at, work.nodes, work.preview) == (
        NOW,
        ("king", "soldier1"),
        "plan a garden",
    )
    assert (work.id, work.cluster, work.instance_id) == ("task", "home", "placed")


def test_a_request_to_a_loading_model_is_in_hand_though_nobody_works_on_it():
    loading = instance(shard("king", RunnerPhase.LOADING))
    fleet = folded([pair(loading, tasks=[task()])])
    assert [work.id for work in fleet.work] == ["task"]
    assert states(fleet)["king"] == "waking"
    assert not fleet.node("king").shares[0].at_work


def test_the_fleets_effort_is_the_mean_of_those_that_are_here():
    fleet = presence(watching(pair(instance(shard("king")), tasks=[task()])))
    assert fleet.node("king").load.intensity == 0.6
    assert fleet.intensity == 0.3


def test_the_sequence_is_handed_on():
    before = replace(presence(watching(pair())), sequence=7)
    assert presence(watching(pair()), previous=before).sequence == 7


@pytest.mark.parametrize("rehearsal", [True, False])
def test_a_rehearsal_is_marked_as_one(rehearsal):
    assert infer((), [watching(pair())], None, NOW, rehearsal=rehearsal).rehearsal is rehearsal


# Whatever exo may say

ids = st.sampled_from(["a", "b", "c", "d"])
names = st.sampled_from(["king", "soldier1", "Mac", "Mac-2", "mac", ""])
addresses = st.lists(
    st.sampled_from(["http://10.0.0.1:52415", "http://10.0.0.2:52415"]), max_size=2
)
shares = st.none() | st.floats(0, 1)
moments = st.none() | st.integers(-60, 60).map(exo_at)
nodes = st.builds(
    ExoNode,
    id=ids,
    name=names,
    last_seen_at=moments,
    addresses=addresses.map(tuple),
    gpu_usage=shares,
    memory_total_bytes=st.none() | st.integers(0, 2**40),
    memory_available_bytes=st.none() | st.integers(0, 2**40),
)
counts = st.none() | st.integers(0, 99)
runners = st.builds(
    Runner,
    id=st.sampled_from(["r1", "r2", "r3"]),
    phase=st.sampled_from(RunnerPhase),
    layers_loaded=counts,
    total_layers=counts,
    failure=st.none() | st.just("out of memory"),
)
shards = st.builds(Shard, node_id=ids, runner=runners, start_layer=counts, end_layer=counts)
instances = st.builds(
    Instance,
    id=st.sampled_from(["i1", "i2"]),
    model_id=st.sampled_from(["org/Model-4bit", ""]),
    shards=st.lists(shards, max_size=3, unique_by=lambda s: s.node_id).map(tuple),
)
tasks = st.builds(
    Task,
    id=st.sampled_from(["t1", "t2", "t3"]),
    instance_id=st.sampled_from(["i1", "i2", "gone"]),
    status=st.sampled_from(TaskStatus),
    command_id=st.none() | st.sampled_from(["c1", "c2"]),
    preview=st.none() | st.just("plan a garden"),
)
streams = st.builds(
    stream,
    st.sampled_from(Stage),
    model=st.just("org/Model-4bit"),
    cluster=st.none() | st.sampled_from(["attic", "cellar"]),
    command_id=st.none() | st.sampled_from(["c1", "c2"]),
    done=counts,
    total=counts,
)
downloads = st.builds(
    Download,
    node_id=ids,
    model_id=st.just("org/Model"),
    phase=st.sampled_from(DownloadPhase),
    total_bytes=counts,
    downloaded_bytes=counts,
    eta_s=st.none() | st.floats(0, 1e7),
)


def apart(what: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(what, max_size=4, unique_by=lambda one: one.id).map(tuple)


snapshots = st.builds(
    ClusterSnapshot,
    seen_at=st.just(NOW),
    event_index=st.none() | st.integers(-1, 500),
    nodes=apart(nodes),
    instances=apart(instances),
    tasks=apart(tasks),
    downloads=st.lists(downloads, max_size=3).map(tuple),
)
failures = st.sampled_from([Condition.UNREACHABLE, Condition.INVALID])
beats = st.tuples(
    st.sampled_from([0.0, 0.2, 1.0, 3.0, 6.0, 700.0]),
    st.sampled_from([DOOR, OTHER_DOOR]),
    st.sampled_from(["attic", "cellar"]),
    snapshots | failures,
    st.lists(streams, max_size=2),
)


def after(watch: ClusterWatch, seen: ClusterSnapshot | Condition, door: str, now: datetime):
    if isinstance(seen, Condition):
        return watch.missed("it did not answer", seen, door, now)
    return watch.heard(seen, door, now)


@settings(max_examples=150, deadline=None)
@given(st.lists(beats, min_size=1, max_size=8))
def test_whatever_exo_says_the_fleet_has_a_presence(told):
    watches = {name: unseen(name) for name in ("attic", "cellar")}
    fleet, now = None, NOW
    for pause, door, name, seen, heard in told:
        now += timedelta(seconds=pause)
        watches[name] = after(watches[name], seen, door, now)
        fleet = presence(*watches.values(), previous=fleet, now=now, streams=heard)
        check(fleet)


def check(fleet: FleetPresence) -> None:
    names = [machine.name for machine in fleet.nodes]
    assert len(set(names)) == len(names)
    assert all(names)
    lasting = [span.node for span in fleet.spans if span.ended_at is None]
    assert sorted(lasting) == sorted(names)
    assert fleet.sentence
    assert 0.0 <= fleet.intensity <= 1.0
    for machine in fleet.nodes:
        assert machine.load.state in CognitiveState
        assert machine.load.sentence
        assert 0.0 <= machine.load.intensity <= 1.0
        assert 1 <= len(machine.trail) <= TRAIL_SECONDS
        assert machine.since <= fleet.at
    for span in fleet.spans:
        assert span.started_at <= (span.ended_at or fleet.at) <= fleet.at
