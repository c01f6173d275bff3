"""Which machine each of exo's nodes is."""

from fleetweb.core.machines import identify
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role
from fleetweb.core.snapshot import ExoNode

from .sights import node, snapshot

NORTH, SOUTH = "http://10.0.0.1:52415", "http://10.0.0.2:52415"


def named(*nodes: ExoNode, before=None, fleet=SOVEREIGN_FLEET) -> dict[str, str]:
    """The name of each machine that was told apart, by its exo id."""
    machines = identify([("home", snapshot(nodes))], fleet, before or {})
    return {machine.node.id: machine.name for machine in machines}


def mac(
    id_: str, address: str | None = None, heard: float = 0, name: str = "Mac Studio"
) -> ExoNode:
    plain = node(name, heard=heard)
    return ExoNode(id_, name, last_seen_at=plain.last_seen_at, addresses=(address,) * bool(address))


def test_a_listed_machine_goes_by_its_owners_name_and_role():
    (king,) = identify([("home", snapshot([mac("a", name="KING.local")]))], SOVEREIGN_FLEET)
    assert (king.name, king.role) == ("king", Role.KING)


def test_a_machine_that_nobody_listed_is_a_worker_under_its_friendly_name():
    (lab,) = identify([("home", snapshot([mac("a", name="mini-lab")]))], SOVEREIGN_FLEET)
    assert (lab.name, lab.role, lab.entry) == ("mini-lab", Role.WORKER, None)


def test_a_machine_that_has_not_said_its_name_is_left_out_until_it_does():
    assert named(mac("a", NORTH, name="")) == {}


def test_a_machine_without_a_name_is_known_by_its_address():
    fleet = [FleetNode("king", Role.KING, "10.0.0.1", 512)]
    assert named(mac("a", NORTH, name=""), fleet=fleet) == {"a": "king"}


def test_a_restarted_machine_is_the_one_heard_last():
    before, after = mac("old", NORTH, heard=-20), mac("new", NORTH, heard=0)
    assert named(before, after) == {"new": "Mac Studio"} == named(after, before)


def test_a_restarted_machine_whose_addresses_are_not_gathered_yet_is_one_machine():
    assert named(mac("old", NORTH, heard=-20), mac("new", heard=0)) == {"new": "Mac Studio"}


def test_two_machines_with_one_friendly_name_stay_two():
    assert named(mac("a", NORTH), mac("b", SOUTH)) == {"a": "Mac Studio", "b": "Mac Studio-2"}


def test_numbers_do_not_depend_on_who_was_heard_last_or_on_the_order():
    first, second = mac("a", NORTH, heard=-1), mac("b", SOUTH, heard=0)
    assert named(first, second) == named(second, first)


def test_a_machine_keeps_its_number_when_its_namesake_goes():
    before = {"a": "Mac Studio", "b": "Mac Studio-2"}
    assert named(mac("b", SOUTH), before=before) == {"b": "Mac Studio-2"}


def test_a_namesake_that_restarts_gets_its_name_back():
    before = {"a": "Mac Studio", "b": "Mac Studio-2"}
    back = named(mac("a2", NORTH), mac("b", SOUTH), before=before)
    assert back == {"a2": "Mac Studio", "b": "Mac Studio-2"}


def test_a_number_is_never_another_machines_name():
    nodes = mac("a", NORTH), mac("b", SOUTH), mac("c", name="Mac Studio-2")
    assert named(*nodes) == {"a": "Mac Studio", "b": "Mac Studio-3", "c": "Mac Studio-2"}


def test_a_number_is_given_up_to_a_machine_that_is_called_so():
    before = {"a": "Mac Studio", "b": "Mac Studio-2"}
    nodes = mac("a", NORTH), mac("b", SOUTH), mac("c", name="Mac Studio-2")
    assert named(*nodes, before=before)["c"] == "Mac Studio-2"
    assert named(*nodes, before=before)["b"] == "Mac Studio-3"


def test_a_name_from_before_is_dropped_when_the_machine_is_renamed():
    assert named(mac("a", name="mini-lab"), before={"a": "7"}) == {"a": "mini-lab"}


def test_a_namesake_of_a_listed_machine_is_a_worker():
    fleet = [FleetNode("king", Role.KING, "king.local", 512)]
    seen = [("home", snapshot([mac("a", NORTH, name="king"), mac("b", SOUTH, name="king")]))]
    assert [(m.name, m.role) for m in identify(seen, fleet)] == [
        ("king", Role.KING),
        ("king-2", Role.WORKER),
    ]


def test_namesakes_in_two_clusters_are_two_machines():
    seen = [("attic", snapshot([mac("a", NORTH)])), ("cellar", snapshot([mac("b", NORTH)]))]
    assert [(m.name, m.cluster) for m in identify(seen, ())] == [
        ("Mac Studio", "attic"),
        ("Mac Studio-2", "cellar"),
    ]


def test_a_machine_that_two_clusters_show_is_one():
    seen = [("attic", snapshot([mac("a", NORTH)])), ("cellar", snapshot([mac("a", NORTH)]))]
    assert len(identify(seen, ())) == 1
