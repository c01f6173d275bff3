"""A past moment, put together from what was written down, against what was seen when it was now."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleetweb.core.discretion import discreet
from fleetweb.core.inference import infer
from fleetweb.core.presence import CognitiveState, FleetPresence, Work
from fleetweb.core.roster import SOVEREIGN_FLEET
from fleetweb.fleet.memory import SAMPLE_EVERY, Memory
from fleetweb.fleet.past import NOBODY_WATCHED, fleet_at
from tests.core.sights import GIB, QWEN, at

from .outage import DROPPED, FELL_SILENT, OVER, RETURNED, outage

pytestmark = pytest.mark.django_db


@pytest.fixture
def seen() -> list[FleetPresence]:
    memory = Memory()
    moments = outage()
    for presence in moments:
        memory.remember(presence)
    memory.close(at(OVER))
    return moments


def turns(moments: list[FleetPresence]) -> list[tuple[str, str]]:
    """Every change of a machine's state, in the order in which it was shown."""
    found, last = [], {}
    for presence in moments:
        for machine in presence.nodes:
            if last.get(machine.name) is not machine.load.state:
                last[machine.name] = machine.load.state
                found.append((machine.name, machine.load.state.value))
    return found


def test_every_second_of_an_outage_is_as_it_was_shown(seen):
    for live in seen:
        past = fleet_at(live.at).presence
        shown = [(n.name, n.load.state, n.since) for n in live.nodes]
        assert [(n.name, n.load.state, n.since) for n in past.nodes] == shown, live.at
        assert past.state is live.state


def test_the_quiet_and_the_offline_come_in_the_order_in_which_they_came(seen):
    replayed = [fleet_at(live.at).presence for live in seen]
    assert turns(replayed) == turns(seen)
    of_soldier = [state for name, state in turns(replayed) if name == "soldier1"]
    assert of_soldier == ["idle", "processing", "quiet", "offline", "idle"]


def test_a_silence_grows_as_it_did(seen):
    """Every other sentence is the one that its state began with."""
    began: dict[tuple[str, datetime], str] = {}
    for live in seen:
        past = fleet_at(live.at).presence
        for machine in discreet(live).nodes:
            said = began.setdefault((machine.name, machine.since), machine.load.sentence)
            replayed = past.node(machine.name).load.sentence
            quiet = machine.load.state is CognitiveState.QUIET
            assert replayed == (machine.load.sentence if quiet else said)


def test_the_fleet_speaks_as_it_did_of_a_machine_that_is_lost(seen):
    lost = seen[DROPPED + 2]
    assert fleet_at(lost.at).presence.sentence == discreet(lost).sentence
    assert "soldier1" in lost.sentence or "Held up" in lost.sentence


def test_the_ribbon_of_the_past_ends_where_the_past_does(seen):
    live = seen[30]
    assert set(fleet_at(live.at).presence.spans) == set(live.spans)


def test_figures_are_those_of_the_last_sample_and_not_of_a_later_one(seen):
    past = fleet_at(at(25)).presence.node("king")
    sampled_at = int(SAMPLE_EVERY.total_seconds()) * 2
    assert past.exo.memory_available_bytes == (400 - sampled_at) * GIB
    assert past.exo.gpu_usage == 0.5
    assert past.exo.temperature_c is None
    assert past.trail[-1] is not None
    assert past.trail[0] is None


def test_a_machine_that_was_away_made_no_effort_meanwhile_and_none_is_made_up(seen):
    soldier = fleet_at(at(RETURNED + 5)).presence.node("soldier1")
    efforts = dict(zip(range(RETURNED + 5 - 59, RETURNED + 6), soldier.trail, strict=True))
    assert {efforts[second] for second in range(DROPPED, RETURNED)} == {None}
    assert efforts[DROPPED - 1] is not None
    assert efforts[RETURNED + 1] is not None


def test_nothing_that_a_caller_wrote_comes_back(seen):
    assert "secret" in seen[8].node("king").load.sentence
    assert "secret" not in repr(fleet_at(seen[8].at))


def test_machines_that_were_never_here_are_not_here_yet(seen):
    missing = fleet_at(at(3)).presence.node("soldier3")
    assert missing.load.sentence == "Not here yet."
    assert (missing.last_heard_at, missing.exo) == (None, None)


def test_a_machine_that_is_gone_was_last_heard_when_it_was(seen):
    gone = fleet_at(at(DROPPED + 3)).presence.node("soldier1")
    assert abs(gone.last_heard_at - at(FELL_SILENT)) <= timedelta(seconds=1)


@pytest.mark.usefixtures("seen")
class TestNobodyWatched:
    def test_before_the_first_look_nothing_is_known(self):
        past = fleet_at(at(-10))
        assert (past.presence.nodes, past.presence.sentence) == ((), NOBODY_WATCHED)
        assert (past.gap.since, past.gap.until) == (None, at(0))

    def test_while_nobody_looks_nothing_is_claimed(self):
        Memory().remember(infer(SOVEREIGN_FLEET, [], None, at(500)))
        past = fleet_at(at(OVER + 100))
        assert past.presence.nodes == ()
        assert (past.gap.since, past.gap.until) == (at(OVER), at(500))
        assert fleet_at(at(501)).gap is None


@pytest.mark.usefixtures("seen")
class TestRequestsOfThePast:
    def test_machines_that_worked_together_hold_a_model_together(self):
        work = Work("r", "home", "home qwen", ("king", "soldier1"), at(5), "r", QWEN)
        past = fleet_at(at(8), work=[work]).presence
        (share,) = past.node("king").shares
        assert (share.model_id, share.companions, share.at_work) == (QWEN, ("soldier1",), True)
        assert share.start_layer is None
        assert past.node("soldier2").shares == ()
        assert past.work == (work,)

    def test_what_reached_exo_past_the_gateway_is_told_of_the_machines_at_it(self):
        (work,) = fleet_at(at(8)).presence.work
        assert work.nodes == ("king", "soldier1")
        assert (work.model_id, work.preview, work.started_at) == (None, None, at(5))

    def test_idle_machines_are_at_no_request(self):
        assert fleet_at(at(2)).presence.work == ()


def test_the_number_of_queries_does_not_depend_on_the_moment(seen):
    counts = []
    for second in (3, 30, 50, 70):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            fleet_at(at(second))
        counts.append(len(queries))
    assert counts == [4, 4, 4, 4]


def test_an_empty_history_says_that_nothing_is_known():
    past = fleet_at(at(0))
    assert (past.gap.since, past.gap.until) == (None, None)
