"""What stands out: slow, failing or away, only where it is true, and with its reason."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.answering import Against, Answers, Away, Failing, Felt, Measured, Slot, Slow
from fleetweb.core.findings import MOST, findings
from fleetweb.core.presence import CognitiveState
from fleetweb.core.slowness import SLOW

HOUR = 3600
LLAMA, QWEN = "llama", "qwen"


def answers(machine: str, *ttfts: float | None, model: str = LLAMA, count: int = 10) -> Answers:
    """An hour each; None is an hour in which nothing was asked."""
    slots = tuple(
        Slot(i * HOUR, (i + 1) * HOUR, count, 0, ttft)
        if ttft is not None
        else Slot(i * HOUR, (i + 1) * HOUR)
        for i, ttft in enumerate(ttfts)
    )
    return Answers(machine, model, slots)


def felt(*names: str, hours: int = 6, **more: Felt) -> dict[str, tuple[Felt, ...]]:
    calm = tuple(Felt(i * HOUR, (i + 1) * HOUR, temperature_c=60.0) for i in range(hours))
    told = dict.fromkeys(names, calm)
    for name, moment in more.items():
        told[name] = tuple(moment if f.begins_s == moment.begins_s else f for f in told[name])
    return told


SLOW_HOUR = (
    answers("king", 400, 410, 390, 400, 405, 400),
    answers("soldier2", 400, 400, 1240, 400, 390, 400),
)


def test_a_slow_hour_is_found_beside_the_others():
    (found,) = findings(SLOW_HOUR, felt("king", "soldier2"))
    assert isinstance(found, Slow)
    assert (found.machine, found.model, found.measured) == ("soldier2", LLAMA, Measured.TTFT)
    assert found.against is Against.OTHERS
    assert (found.begins_s, found.ends_s) == (2 * HOUR, 3 * HOUR)
    assert round(found.times, 1) == 3.2
    assert found.requests == 10
    assert not found.reasons.are_known


def test_its_reason_is_what_else_was_seen_in_that_time():
    quiet = Felt(2 * HOUR, 3 * HOUR, {CognitiveState.QUIET: 240.0}, 92.0)
    (found,) = findings(SLOW_HOUR, felt("king", "soldier2", soldier2=quiet))
    assert isinstance(found, Slow)
    (trouble,) = found.reasons.troubles
    assert (trouble.state, trouble.lasted_s) == (CognitiveState.QUIET, 240.0)
    assert (found.reasons.hot_c, found.reasons.others_c) == (92.0, 60.0)


def test_what_was_seen_at_another_time_is_no_reason():
    hot = Felt(4 * HOUR, 5 * HOUR, temperature_c=95.0)
    (found,) = findings(SLOW_HOUR, felt("king", "soldier2", soldier2=hot))
    assert isinstance(found, Slow)
    assert not found.reasons.are_known


def test_heat_that_all_have_is_no_reason():
    hot = Felt(2 * HOUR, 3 * HOUR, temperature_c=90.0)
    told = felt("king", "soldier2", soldier2=hot, king=replace(hot, temperature_c=88.0))
    (found,) = findings(SLOW_HOUR, told)
    assert isinstance(found, Slow)
    assert found.reasons.hot_c is None


def test_other_models_are_not_compared():
    large = answers("king", *[4000.0] * 6, model=QWEN)
    small = answers("soldier2", *[400.0] * 6)
    assert findings((large, small), felt("king", "soldier2")) == ()


def test_one_that_answers_alone_is_compared_with_itself():
    alone = answers("king", 400, 400, 400, 1200, 1200, 400, 400)
    (found,) = findings((alone,), felt("king", hours=7))
    assert isinstance(found, Slow)
    assert found.against is Against.ITSELF
    assert (found.begins_s, found.ends_s) == (3 * HOUR, 5 * HOUR)


def test_a_few_requests_prove_nothing():
    once = answers("soldier2", 400, 400, 4000, 400, 400, 400, count=1)
    assert findings((SLOW_HOUR[0], once), felt("king", "soldier2")) == ()


def test_slowness_that_nothing_explains_takes_more_requests_to_be_told():
    few = tuple(replace(a, slots=tuple(replace(s, count=4) for s in a.slots)) for a in SLOW_HOUR)
    assert findings(few, felt("king", "soldier2")) == ()
    hot = Felt(2 * HOUR, 3 * HOUR, temperature_c=92.0)
    (found,) = findings(few, felt("king", "soldier2", soldier2=hot))
    assert isinstance(found, Slow)
    assert found.reasons.hot_c == 92.0


def test_who_was_away_comes_before_slowness_without_a_reason():
    gone = Felt(HOUR, 2 * HOUR, {CognitiveState.OFFLINE: 1200.0})
    away, slow = findings(SLOW_HOUR, felt("king", "soldier2", king=gone))
    assert isinstance(away, Away)
    assert isinstance(slow, Slow)


def test_hours_without_requests_do_not_break_a_slow_time_nor_make_one():
    gaps = answers("soldier2", 400, None, 1300, None, 1300, 400)
    (found,) = findings((SLOW_HOUR[0], gaps), felt("king", "soldier2"))
    assert isinstance(found, Slow)
    assert (found.begins_s, found.ends_s, found.requests) == (2 * HOUR, 5 * HOUR, 20)


def test_requests_that_fail_are_told():
    own = answers("soldier1", 400, 400, 400)
    broken = replace(own, slots=(*own.slots[:2], replace(own.slots[2], errors=4)))
    (found,) = findings((broken,), felt("soldier1", hours=3))
    assert isinstance(found, Failing)
    assert (found.errors, found.requests, found.begins_s) == (4, 10, 2 * HOUR)


def failed(machine: str, *errors: int, length_s: int = 60) -> Answers:
    """Points of ten requests each, of which so many failed."""
    slots = (Slot(i * length_s, (i + 1) * length_s, 10, n, 400) for i, n in enumerate(errors))
    return Answers(machine, LLAMA, tuple(slots))


def in_minutes(**troubles: tuple[int, CognitiveState, float]) -> dict[str, tuple[Felt, ...]]:
    """Six minutes of machines, each with one trouble: in which minute, what, for how long."""
    calm = [Felt(i * 60, (i + 1) * 60) for i in range(6)]
    told = {}
    for name, (minute, state, lasted_s) in troubles.items():
        moments = [*calm]
        moments[minute] = replace(calm[minute], states={state: lasted_s})
        told[name] = tuple(moments)
    return told


def test_requests_fail_for_what_comes_after_they_were_asked():
    told = in_minutes(soldier2=(2, CognitiveState.OFFLINE, 20.0))
    (found,) = findings((failed("soldier2", 0, 5, 0, 0, 0, 0),), told)
    assert isinstance(found, Failing)
    assert [trouble.lasted_s for trouble in found.reasons.troubles] == [20.0]


def test_what_another_machine_suffered_is_told_where_nothing_of_its_own_explains_it():
    told = in_minutes(
        king=(5, CognitiveState.IDLE, 60.0), soldier2=(1, CognitiveState.OFFLINE, 50.0)
    )
    away, found = findings((failed("king", 0, 5, 0, 0, 0, 0),), told)
    assert isinstance(away, Away)
    assert isinstance(found, Failing)
    assert found.machine == "king"
    assert not found.reasons.are_known
    assert found.reasons.elsewhere is not None
    assert found.reasons.elsewhere[0] == "soldier2"


def test_what_others_suffered_is_told_beside_its_own_where_it_is_graver():
    told = in_minutes(
        king=(1, CognitiveState.SILENT, 19.0), soldier2=(1, CognitiveState.OFFLINE, 50.0)
    )
    both = failed("king", 0, 5, 0, 0, 0, 0), failed("soldier2", 0, 4, 0, 0, 0, 0)
    first, second = findings(both, told)
    assert isinstance(first, Failing)
    assert isinstance(second, Failing)
    assert (first.machine, first.reasons.elsewhere) == ("soldier2", None)  # the cause comes first
    assert second.reasons.elsewhere is not None
    assert second.reasons.elsewhere[0] == "soldier2"
    assert [trouble.state for trouble in second.reasons.troubles] == [CognitiveState.SILENT]


def test_a_moment_of_trouble_does_not_make_hours_slow():
    blink = Felt(2 * HOUR, 3 * HOUR, {CognitiveState.OFFLINE: 40.0})
    away, slow = findings(SLOW_HOUR, felt("king", "soldier2", soldier2=blink))
    assert isinstance(away, Away)
    assert isinstance(slow, Slow)
    assert not slow.reasons.are_known


def test_of_machines_that_are_not_shown_nothing_is_said_of_reasons():
    (found,) = findings(SLOW_HOUR, felt("king"), about={"king", "soldier2"})
    assert isinstance(found, Slow)
    assert found.machine == "soldier2"
    assert not found.reasons.are_looked_for


def test_a_machine_that_was_away_is_told_even_if_nobody_asked_it():
    gone = Felt(HOUR, 2 * HOUR, {CognitiveState.OFFLINE: 1200.0})
    (found,) = findings((), felt("king", "soldier3", soldier3=gone))
    assert isinstance(found, Away)
    assert (found.machine, found.trouble.lasted_s) == ("soldier3", 1200.0)


def test_machines_that_were_away_at_once_are_one_story():
    gone = Felt(HOUR, 2 * HOUR, {CognitiveState.OFFLINE: 1200.0})
    shorter = Felt(HOUR, 2 * HOUR, {CognitiveState.OFFLINE: 300.0})
    told = felt("a", "b", "c", "d", "e", a=gone, b=gone, c=gone, d=gone, e=shorter)
    found, other = findings((), told)
    assert isinstance(found, Away)
    assert (found.machine, found.beside) == ("a", ("b", "c", "d"))
    assert isinstance(other, Away)
    assert (other.machine, other.beside) == ("e", ())


def test_a_moment_of_silence_is_no_news():
    blink = Felt(HOUR, 2 * HOUR, {CognitiveState.QUIET: 6.0})
    assert findings((), felt("king", king=blink)) == ()


def test_nothing_is_said_of_machines_that_are_not_shown():
    assert findings(SLOW_HOUR, felt("king")) == ()


def test_nothing_known_says_nothing():
    assert findings((), {}) == ()


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.floats(1, 1e6)), min_size=8, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_whoever_is_called_slow_was_slow(rows):
    machines = [answers(f"m{i}", *row) for i, row in enumerate(rows)]
    found = findings(machines, felt(*(a.machine for a in machines), hours=8))
    assert len(found) <= MOST
    for one in found:
        assert isinstance(one, Slow)
        assert one.times >= SLOW * 0.999
        own = next(a for a in machines if a.machine == one.machine)
        during = [s for s in own.slots if one.begins_s <= s.begins_s < one.ends_s]
        assert one.requests == sum(s.count for s in during if s.ttft_ms is not None)
