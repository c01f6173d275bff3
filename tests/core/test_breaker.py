"""When a door that keeps failing is left in peace, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.breaker import (
    FAILURES,
    LONGEST_WAIT_S,
    PROBE_PATIENCE,
    BreakerState,
    CircuitBreaker,
    admitted,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def tripped(at: datetime = NOW) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(FAILURES):
        breaker = breaker.failed(at)
    return breaker


def test_stays_closed_through_four_failures():
    breaker = CircuitBreaker()
    for second in range(4):
        breaker = breaker.failed(after(second))
    assert breaker.state(after(4)) is BreakerState.CLOSED
    assert breaker.admits(after(4))


def test_opens_at_the_fifth_failure_in_a_minute():
    breaker = tripped()
    assert breaker.state(NOW) is BreakerState.OPEN
    assert not breaker.admits(NOW)
    assert breaker.opens_in_s(after(10)) == 20


def test_failures_spread_over_more_than_a_minute_do_not_open_it():
    breaker = CircuitBreaker()
    for number in range(20):
        breaker = breaker.failed(after(number * 15))
    assert breaker.state(after(300)) is BreakerState.CLOSED


def test_half_opens_after_30_s_for_one_probe():
    breaker = tripped()
    assert not breaker.admits(after(29.9))
    assert breaker.state(after(30)) is BreakerState.HALF_OPEN
    assert breaker.admits(after(30))
    assert not breaker.sent(after(30)).admits(after(31))


def test_closes_after_two_successes():
    breaker = tripped().sent(after(30)).succeeded(after(31))
    assert breaker.state(after(31)) is BreakerState.HALF_OPEN
    assert breaker.sent(after(31)).succeeded(after(32)) == CircuitBreaker()


def test_a_failed_probe_opens_it_for_another_30_s():
    breaker = tripped().sent(after(30)).succeeded(after(31)).sent(after(31)).failed(after(32))
    assert breaker.state(after(61)) is BreakerState.OPEN
    assert breaker.state(after(62)) is BreakerState.HALF_OPEN
    assert breaker.successes == 0


def test_a_probe_whose_caller_went_away_makes_room_for_the_next():
    assert tripped().sent(after(30)).abandoned().admits(after(31))


def test_a_probe_nobody_reported_on_makes_room_in_the_end():
    probing = tripped().sent(after(30))
    assert probing.admits(after(30) + PROBE_PATIENCE)


def test_late_answers_from_before_it_opened_prove_nothing():
    breaker = tripped()
    assert breaker.succeeded(after(5)) == breaker
    assert breaker.failed(after(5)) == breaker


def test_retry_after_is_honoured_at_the_first_failure():
    breaker = CircuitBreaker().failed(NOW, retry_after_s=120)
    assert not breaker.admits(after(119))
    assert breaker.state(after(120)) is BreakerState.HALF_OPEN
    assert breaker.asked_for


def test_retry_after_never_shortens_a_rest():
    breaker = tripped().failed(NOW, retry_after_s=1)
    assert breaker.opens_in_s(NOW) == 30


@pytest.mark.parametrize(("asked", "kept"), [(-5, 0), (1e300, LONGEST_WAIT_S)])
def test_absurd_retry_after_is_bounded(asked, kept):
    assert CircuitBreaker().failed(NOW, retry_after_s=asked).opens_in_s(NOW) == kept


def test_only_doors_that_admit_are_offered():
    breakers = {"king": CircuitBreaker(), "soldier1": tripped()}
    assert admitted(breakers, NOW) == {"king"}


def test_the_only_door_is_never_closed():
    assert admitted({"king": tripped()}, NOW) == {"king"}
    assert admitted({"king": tripped().sent(after(30))}, after(31)) == {"king"}


def test_of_several_closed_doors_the_one_that_opens_first_is_tried():
    breakers = {"king": tripped(after(5)), "soldier1": tripped(NOW)}
    assert admitted(breakers, after(6)) == {"soldier1"}


def test_the_only_door_is_left_alone_when_it_asked_for_it():
    breaker = CircuitBreaker().failed(NOW, retry_after_s=60)
    assert admitted({"gemini": breaker}, after(30)) == frozenset()
    assert admitted({"gemini": breaker}, after(60)) == {"gemini"}


def test_no_doors_admit_nothing():
    assert admitted({}, NOW) == frozenset()


EVENTS = st.lists(
    st.tuples(st.sampled_from(["sent", "succeeded", "failed", "abandoned"]), st.floats(0, 50)),
    max_size=60,
)


@given(EVENTS)
def test_whatever_happened_it_comes_back(events):
    breaker, at = CircuitBreaker(), NOW
    for event, wait_s in events:
        at += timedelta(seconds=wait_s)
        breaker = breaker.abandoned() if event == "abandoned" else getattr(breaker, event)(at)
        assert len(breaker.failed_at) < FAILURES
        assert admitted({"king": breaker}, at) == {"king"}
    later = at + timedelta(seconds=30) + PROBE_PATIENCE
    assert breaker.admits(later)
    probed = breaker.sent(later).succeeded(later).sent(later).succeeded(later)
    assert probed.state(later) is BreakerState.CLOSED
