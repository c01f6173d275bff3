"""Which door of a cluster is asked."""

from datetime import UTC, datetime, timedelta

from fleetweb.core.doors import Door, in_order

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KING, ONE, TWO = (Door(f"http://{name}:52415", name) for name in ("king", "soldier1", "soldier2"))
HERE = ("king", "soldier1", "soldier2")


def test_the_owners_own_order_decides_among_equals():
    assert in_order([TWO, KING, ONE], HERE, ()) == [TWO, KING, ONE]


def test_a_machine_that_works_is_asked_last():
    assert in_order([KING, ONE, TWO], HERE, {"king"}) == [ONE, TWO, KING]


def test_a_door_that_failed_comes_after_one_that_works():
    failed = KING.failed(NOW)
    assert in_order([failed, ONE, TWO], HERE, {"soldier1"}) == [TWO, ONE, failed]


def test_doors_that_failed_take_turns():
    first, second = KING.failed(NOW), ONE.failed(NOW + timedelta(seconds=1))
    assert in_order([second, first], HERE, ()) == [first, second]


def test_a_door_that_answered_is_as_good_as_ever():
    assert KING.failed(NOW).answered() == KING


def test_a_door_of_nobody_who_is_here_comes_after_one_that_works():
    unknown, gone = Door("http://10.0.0.9:52415"), Door("http://10.0.0.8:52415", "restarted")
    assert in_order([unknown, gone, KING], HERE, {"king"}) == [KING, unknown, gone]


def test_a_door_of_nobody_known_is_better_than_one_that_failed():
    unknown = Door("http://10.0.0.9:52415")
    assert in_order([KING.failed(NOW), unknown], HERE, ())[0] == unknown
