"""What a run of answers and failures says about a cluster as a whole."""

from dataclasses import replace

import pytest

from fleetweb.core.presence import Condition
from fleetweb.core.snapshot import DownloadPhase, RunnerPhase

from .sights import (
    DOOR,
    OTHER_DOOR,
    QWEN,
    at,
    download,
    exo_at,
    instance,
    node,
    pair,
    seconds,
    shard,
    snapshot,
    unseen,
    watching,
)

PLACED = instance(shard("king"), shard("soldier1"))


def test_a_cluster_that_answers_is_well():
    watch = watching(pair())
    assert (watch.condition, watch.answered_at, watch.door) == (Condition.WELL, at(0), DOOR)
    assert watch.answers


def test_a_condition_keeps_the_time_it_began():
    watch = watching(*(pair(heard=t, index=100 + t) for t in range(5)))
    assert watch.condition is Condition.WELL
    assert watch.since == at(0)


def test_one_missed_beat_changes_nothing():
    watch = watching(pair())
    missed = watch.missed("exo took too long", Condition.UNREACHABLE, DOOR, at(5))
    assert missed == replace(watch, problem="exo took too long")


def test_more_than_five_seconds_of_misses_make_it_unreachable():
    watch = watching(pair()).missed("exo took too long", Condition.UNREACHABLE, DOOR, at(5.1))
    assert (watch.condition, watch.since) == (Condition.UNREACHABLE, at(5.1))
    assert not watch.answers


def test_a_cluster_that_never_answered_is_unreachable_at_once():
    watch = unseen().missed("exo refused", Condition.UNREACHABLE, DOOR, at(0))
    assert watch.condition is Condition.UNREACHABLE


def test_an_answer_that_is_not_exos_is_told_apart_from_none():
    watch = unseen().missed("a web page", Condition.INVALID, DOOR, at(0))
    assert (watch.condition, watch.problem) == (Condition.INVALID, "a web page")


def test_an_answer_ends_the_trouble():
    lost = watching(pair()).missed("refused", Condition.UNREACHABLE, DOOR, at(6))
    watch = lost.heard(pair(heard=7, index=101), OTHER_DOOR, at(7))
    assert (watch.condition, watch.problem, watch.door) == (Condition.WELL, None, OTHER_DOOR)


def test_a_cluster_without_machines_is_forming():
    assert watching(snapshot(index=-1)).condition is Condition.FORMING


# A view that stands still


@pytest.mark.parametrize(("still_s", "condition"), [(5, Condition.WELL), (6, Condition.FROZEN)])
def test_a_view_is_frozen_after_more_than_five_seconds_of_the_same(still_s, condition):
    watch = watching(*[pair()] * (still_s + 1))
    assert watch.condition is condition


def test_a_still_index_is_not_frozen_while_machines_are_heard():
    watch = watching(*(pair(heard=t, index=100) for t in range(20)))
    assert watch.condition is Condition.WELL


def test_still_machines_are_not_frozen_while_the_index_rises():
    watch = watching(*(pair(heard=0, index=100 + t) for t in range(20)))
    assert watch.condition is Condition.WELL


def test_a_frozen_view_thaws_with_the_first_new_event():
    watch = watching(*[pair()] * 10, pair(heard=9, index=130))
    assert (watch.condition, watch.since) == (Condition.WELL, at(10))


def test_going_unasked_for_a_while_is_not_frozen():
    watch = watching(pair(), pair(heard=60, index=190), every=60)
    assert watch.condition is Condition.WELL


# How long a machine has been silent


def test_silence_is_measured_by_exos_own_clock():
    watch = watching(snapshot([node("king", heard=0), node("soldier1", heard=-12)]))
    assert watch.silence_of(exo_at(-12)) == seconds(12)
    assert watch.silence_of(exo_at(0)) == seconds(0)


def test_the_time_it_was_heard_is_told_by_our_clock():
    watch = watching(snapshot([node("king", heard=0), node("soldier1", heard=-12)]))
    assert watch.heard_at(exo_at(-12)) == at(-12)


def test_silence_grows_for_everybody_while_the_view_stands_still():
    watch = watching(*[pair()] * 9)
    assert watch.silence_of(exo_at(0)) == seconds(8)
    assert watch.heard_at(exo_at(0)) == at(0)


def test_silence_is_unknown_where_exo_does_not_say():
    watch = watching(snapshot([node("king", heard=None)]))
    assert watch.silence_of(None) is None
    assert watch.silence_of(exo_at(0)) is None
    assert watch.heard_at(None) is None
    assert unseen().silence_of(exo_at(0)) is None


# Elections


def test_everybody_gone_at_once_is_an_election():
    watch = watching(pair(PLACED), snapshot(index=-1))
    assert (watch.condition, watch.elected_at, watch.lost) == (Condition.REELECTED, at(1), (QWEN,))


def test_an_index_that_fell_is_an_election():
    watch = watching(pair(PLACED, index=3000), pair(index=2))
    assert (watch.condition, watch.lost) == (Condition.REELECTED, (QWEN,))


def test_an_election_in_two_answers_forgets_nothing_that_was_lost():
    watch = watching(
        pair(PLACED, index=3000), snapshot([node("king")], index=2), snapshot(index=-1)
    )
    assert watch.lost == (QWEN,)


def test_an_election_is_news_for_half_a_minute():
    back = [pair(heard=t, index=t) for t in range(1, 33)]
    conditions = [watching(pair(PLACED), snapshot(index=-1), *back[:n]).condition for n in (30, 31)]
    assert conditions == [Condition.REELECTED, Condition.WELL]


def test_a_cluster_that_stays_empty_after_an_election_is_forming():
    watch = watching(pair(), *[snapshot(index=-1)] * 32)
    assert watch.condition is Condition.FORMING


def test_a_later_election_loses_only_what_was_loaded_since():
    empty, back = snapshot(index=-1), [pair(heard=t, index=t) for t in range(40)]
    watch = watching(pair(PLACED), empty, *back, empty)
    assert (watch.condition, watch.lost) == (Condition.REELECTED, ())


@pytest.mark.parametrize("placed", [(), (PLACED,)])
def test_another_door_that_lags_behind_is_no_election(placed):
    watch = watching(pair(*placed, index=3000)).heard(pair(*placed, index=2700), OTHER_DOOR, at(1))
    assert watch.condition is Condition.WELL


def test_an_index_that_fell_is_no_election_while_what_was_placed_is_there():
    watch = watching(pair(PLACED, index=3000), pair(PLACED, heard=1, index=2))
    assert watch.condition is Condition.WELL


def test_an_election_shows_at_another_door_too():
    watch = watching(pair(PLACED, index=3000)).heard(pair(index=7), OTHER_DOOR, at(1))
    assert watch.condition is Condition.REELECTED


def test_a_view_without_an_index_is_no_election():
    watch = watching(pair(PLACED), snapshot([node("king", heard=1)], index=None))
    assert watch.condition is Condition.WELL


def test_a_cluster_that_has_only_just_formed_was_not_elected_anew():
    watch = watching(snapshot(index=-1), pair(heard=1, index=3))
    assert watch.condition is Condition.WELL


# What a runner was doing when it fell


@pytest.mark.parametrize("phase", [RunnerPhase.LOADING, RunnerPhase.RUNNING])
def test_remembers_what_a_runner_was_doing_when_it_failed(phase):
    doing, failed = (instance(shard("king", p)) for p in (phase, RunnerPhase.FAILED))
    watch = watching(pair(doing), *(pair(failed, heard=t, index=100 + t) for t in (1, 2, 3)))
    assert watch.fell_during == {"runner-king": phase}


def test_knows_nothing_of_a_failure_it_did_not_see():
    failed = instance(shard("king", RunnerPhase.FAILED))
    assert watching(pair(failed), pair(failed)).fell_during == {}


def test_forgets_a_failure_once_the_runner_is_replaced():
    phases = (RunnerPhase.READY, RunnerPhase.FAILED, RunnerPhase.LOADING)
    watch = watching(*(pair(instance(shard("king", phase))) for phase in phases))
    assert watch.fell_during == {}


# Downloads


def downloading(*reports, every=1.0):
    nodes = [node("king"), node("soldier1")]
    seen = [
        snapshot([replace(n, last_seen_at=exo_at(t)) for n in nodes], downloads=d, index=100 + t)
        for t, d in enumerate(reports)
    ]
    return [d.downloaded_bytes for _, d in watching(*seen, every=every).learning.values()]


def test_a_download_goes_on_while_exo_reports_it_in_every_other_second_only():
    pending = download("king", DownloadPhase.PENDING, 41)
    reports = [[download("king")], [], [pending], [], [], []]
    assert [downloading(*reports[: n + 1]) for n in range(6)] == [[41]] * 6


def test_a_download_that_is_not_reported_for_longer_has_ended():
    assert downloading([download("king")], *[[]] * 6) == [41]
    assert downloading([download("king")], *[[]] * 7) == []


@pytest.mark.parametrize("end", [DownloadPhase.COMPLETED, DownloadPhase.FAILED])
def test_a_download_ends_at_once_when_exo_says_so(end):
    assert downloading([download("king")], [], [download("king", end)]) == []


def test_what_is_on_disk_already_is_not_being_learned():
    ended = [download("king", phase) for phase in DownloadPhase if phase != "ongoing"]
    assert downloading(ended) == []


def test_a_machine_that_is_gone_learns_nothing():
    watch = watching(
        snapshot([node("king"), node("soldier1")], downloads=[download("king")]),
        snapshot([node("soldier1", heard=1)], downloads=[download("king")], index=101),
    )
    assert watch.learning == {}
