"""What happens to the fleet is written down once, when it happens."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from fleetweb.core.presence import (
    ClusterPresence,
    CognitiveLoad,
    CognitiveState,
    Condition,
    FleetPresence,
    NodePresence,
)
from fleetweb.core.roster import Role
from fleetweb.core.snapshot import ExoNode
from fleetweb.fleet.memory import Memory
from fleetweb.fleet.models import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def machine(name: str = "king", exo_id: str = "id-1", system: str = "26.1") -> NodePresence:
    exo = ExoNode(exo_id, name, os_version=system)
    load = CognitiveLoad(0.1, CognitiveState.IDLE)
    return NodePresence(name, Role.KING, load, since=NOW, exo=exo, exo_id=exo_id, last_heard_at=NOW)


def seen(
    seconds: float, *nodes: NodePresence, condition: Condition = Condition.WELL
) -> FleetPresence:
    clusters = (ClusterPresence("home", condition, NOW),)
    at = NOW + timedelta(seconds=seconds)
    return FleetPresence(at, "", CognitiveState.IDLE, 0.0, nodes, clusters=clusters)


def told(looks: Sequence[FleetPresence]) -> list[tuple[str, str]]:
    memory = Memory()
    for look in looks:
        memory.remember(look)
    return list(Happened.objects.values_list("kind", "words"))


def test_an_election_is_told_once_however_long_it_takes():
    election = [seen(n, machine(), condition=Condition.REELECTED) for n in (1, 2, 3)]
    ((kind, said),) = told([seen(0, machine()), *election, seen(4, machine())])
    assert (kind, said) == ("election", "exo has just started over with a new master.")


def test_another_system_version_is_told_even_if_nobody_watched_the_change():
    assert told([seen(0, machine())]) == []
    later = [seen(n, machine(system="26.2")) for n in (60, 61, 90)]
    assert told(later) == [("system", "king went from system version 26.1 to 26.2.")]


def test_a_new_start_of_exo_is_told():
    looks = [seen(0, machine()), *(seen(n, machine(exo_id="id-2")) for n in (11, 12, 22))]
    assert told(looks) == [("restarted", "exo was started anew on king.")]


def test_a_new_name_is_told():
    looks = [seen(0, machine()), seen(1, machine("garage")), seen(2, machine("garage"))]
    assert told(looks) == [("renamed", "king calls itself garage from here on.")]


def test_a_clock_that_was_set_back_is_told():
    looks = [seen(0, machine()), seen(-3600, machine()), seen(-3599, machine())]
    assert told(looks) == [("clock", "The clock was set back by 60 min.")]


def test_a_fleet_to_which_nothing_happens_is_told_nothing_of():
    assert told([seen(n, machine()) for n in range(15)]) == []
