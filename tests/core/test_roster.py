"""Which entry of the owner's list describes a machine."""

import pytest

from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, FleetTotals, Role, match, totals
from fleetweb.core.snapshot import ExoNode


def entry(name: str, host: str = "", exo_id: str | None = None) -> FleetNode:
    return FleetNode(name, Role.SOLDIER, host, 256, exo_id=exo_id)


def matched(node: ExoNode, *fleet: FleetNode) -> str | None:
    found = match(node, fleet)
    return found.name if found else None


def test_the_reference_fleet_is_a_king_and_three_soldiers():
    assert [machine.name for machine in SOVEREIGN_FLEET] == [
        "king",
        "soldier1",
        "soldier2",
        "soldier3",
    ]
    assert totals(SOVEREIGN_FLEET) == FleetTotals(memory_gb=1280, cpu_cores=116, gpu_cores=260)


def test_nobody_amounts_to_nothing():
    assert totals(()) == FleetTotals(0, 0, 0)


def test_an_exo_id_decides_before_a_name_does():
    node = ExoNode("abc", "king")
    assert matched(node, entry("king"), entry("spare", exo_id="abc")) == "spare"


def test_a_name_decides_before_an_address_does():
    node = ExoNode("abc", "king", addresses=("http://10.0.0.2:52415",))
    assert matched(node, entry("soldier1", "10.0.0.2"), entry("king", "10.0.0.1")) == "king"


@pytest.mark.parametrize("name", ["king", "King", "KING.local", "king.LOCAL", " king "])
def test_names_match_but_for_case_and_local(name):
    assert matched(ExoNode("abc", name), entry("king", "king.local")) == "king"


def test_a_friendly_name_may_be_the_host():
    assert matched(ExoNode("abc", "Studio-North"), entry("king", "studio-north.local")) == "king"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.4", "http://10.0.0.4:52415"),
        ("king.local", "http://KING:52415"),
        ("fd00::4", "http://[fd00::4]:52415"),
    ],
)
def test_an_address_matches_the_host(host, address):
    assert (
        matched(ExoNode("abc", "Mac Studio", addresses=(address,)), entry("king", host)) == "king"
    )


def test_part_of_an_address_is_no_match():
    node = ExoNode("abc", "Mac Studio", addresses=("http://10.0.0.42:52415",))
    assert matched(node, entry("king", "10.0.0.4")) is None


def test_a_machine_that_nobody_listed_matches_none():
    assert matched(ExoNode("abc", "mini-lab"), *SOVEREIGN_FLEET) is None


def test_a_machine_without_a_name_does_not_match_an_entry_without_a_host():
    assert matched(ExoNode("abc", ""), entry("king", "")) is None


def test_an_entry_without_an_exo_id_is_not_matched_by_a_machine_without_one():
    assert matched(ExoNode("", "mini-lab"), entry("king")) is None
