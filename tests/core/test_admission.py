"""Who goes to a cluster now, who waits, and who is asked to come back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.admission import (
    IN_HAND,
    RETRY_AFTER_MAX_S,
    RETRY_AFTER_UNKNOWN_S,
    Admission,
    Admitted,
    Queued,
    Refused,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def filled(count: int, *, max_in_hand: int = IN_HAND, max_waiting: int = 3) -> Admission:
    admission = Admission(max_in_hand=max_in_hand, max_waiting=max_waiting)
    for number in range(count):
        admission, _ = admission.ask(f"r{number}")
    return admission


def test_lets_in_as_many_as_there_are_places():
    admission = filled(IN_HAND - 1)
    admission, place = admission.ask("last")
    assert place == Admitted()
    assert len(admission.in_hand) == IN_HAND


def test_lines_up_those_behind_and_says_where_they_stand():
    admission, place = filled(IN_HAND + 1).ask("late")
    assert place == Queued(position=2, expected_wait_s=None)
    assert admission.place("late") == place
    assert admission.place("nobody") is None


def test_refuses_when_the_queue_is_full():
    admission, place = filled(IN_HAND + 3).ask("too much")
    assert place == Refused(RETRY_AFTER_UNKNOWN_S)
    assert "too much" not in admission.waiting


def test_the_first_in_line_moves_up_when_one_is_over():
    before = filled(4, max_in_hand=2)
    after = before.finish("r0", NOW, service_s=10)
    assert after.in_hand - before.in_hand == {"r2"}
    assert after.waiting == ("r3",)


def test_waits_are_reckoned_from_what_was_observed():
    admission = filled(5, max_in_hand=2).finish("r0", NOW, service_s=10)
    assert admission.place("r3") == Queued(position=1, expected_wait_s=5)
    assert admission.place("r4") == Queued(position=2, expected_wait_s=10)


def test_retry_after_is_when_the_line_should_be_through():
    admission = filled(6, max_in_hand=2).finish("r0", NOW, service_s=10.5)
    admission, _ = admission.ask("r6")
    assert admission.ask("r7")[1] == Refused(retry_after_s=16)


def test_retry_after_is_bounded():
    admission = filled(6, max_in_hand=1).finish("r0", NOW, service_s=3600)
    assert admission.retry_after_s() == RETRY_AFTER_MAX_S


def test_one_that_was_cut_off_teaches_nothing():
    assert filled(3, max_in_hand=2).finish("r0", NOW).service_s.samples == 0
    assert filled(3, max_in_hand=2).finish("r2", NOW, service_s=1).service_s.samples == 0


def test_one_that_leaves_the_line_shortens_it():
    admission = filled(5, max_in_hand=2).finish("r3", NOW)
    assert admission.waiting == ("r2", "r4")
    assert admission.in_hand == {"r0", "r1"}


def test_asking_twice_changes_nothing():
    admission = filled(4, max_in_hand=2)
    assert admission.ask("r0") == (admission, Admitted())
    assert admission.ask("r3") == (admission, Queued(2, None))


def test_finishing_a_stranger_changes_nothing():
    admission = filled(4, max_in_hand=2)
    assert admission.finish("nobody", NOW, service_s=5) == admission


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.floats(0, 1e4)), max_size=80)


@given(STEPS, st.integers(1, 4), st.integers(0, 4))
def test_never_too_many_in_hand_and_nobody_waits_beside_a_free_place(steps, places, queue):
    admission = Admission(max_in_hand=places, max_waiting=queue)
    for number, (arrives, who, service_s) in enumerate(steps):
        now = NOW + timedelta(seconds=number)
        known = admission.in_hand.union(admission.waiting)
        if arrives:
            admission, place = admission.ask(f"r{who}")
            assert isinstance(place, Refused) == (
                f"r{who}" not in known and len(known) >= places + queue
            )
        else:
            line = [other for other in admission.waiting if other != f"r{who}"]
            admission = admission.finish(f"r{who}", now, service_s)
            assert list(admission.waiting) == line[len(line) - len(admission.waiting) :]
        assert len(admission.in_hand) <= places
        assert len(admission.waiting) <= queue
        assert not admission.waiting or len(admission.in_hand) == places
        assert not admission.in_hand.intersection(admission.waiting)
