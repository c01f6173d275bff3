"""How hard a machine works, from the signals there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.intensity import HARD_WORK, WEIGHTS, effort, memory_used, signals, weigh

from .sights import GIB, node

BUSY = {"requests": effort(1), "gpu_usage": 0.9, "memory_used": 0.5}


def test_a_missing_signal_is_left_out_and_the_rest_weighed_anew():
    without_gpu = {**BUSY, "gpu_usage": None}
    assert weigh(without_gpu) == pytest.approx((0.5 * 0.6 + 0.1 * 0.5) / 0.6, abs=1e-3)
    assert weigh(without_gpu) > weigh({**BUSY, "gpu_usage": 0.0})


def test_the_more_is_known_the_more_has_a_say():
    assert weigh(BUSY) == pytest.approx((0.5 * 0.6 + 0.2 * 0.9 + 0.1 * 0.5) / 0.8, abs=1e-3)


def test_nothing_known_is_no_effort_that_could_be_claimed():
    assert weigh({}) == 0.0 == weigh({"requests": None})


def test_a_signal_counts_no_more_than_full_and_no_less_than_nothing():
    assert weigh({"requests": 7.0}) == 1.0
    assert weigh({"gpu_usage": -0.5}) == 0.0


def test_each_further_request_adds_less():
    assert [round(effort(n), 3) for n in range(4)] == [0, 0.6, 0.84, 0.936]


def test_one_request_alone_is_not_hard_work_and_several_at_full_gpu_are():
    assert weigh({"requests": effort(1)}) <= HARD_WORK
    assert weigh({"requests": effort(3), "gpu_usage": 1.0, "memory_used": 0.6}) > HARD_WORK


def test_memory_is_a_share_of_what_there_is():
    half = node("king", memory_total_bytes=512 * GIB, memory_available_bytes=256 * GIB)
    assert memory_used(half) == 0.5


@pytest.mark.parametrize(("total", "available"), [(None, 1), (1, None), (0, 0), (None, None)])
def test_memory_is_unknown_where_exo_does_not_say(total, available):
    unknown = node("king", memory_total_bytes=total, memory_available_bytes=available)
    assert memory_used(unknown) is None


def test_what_exo_does_not_report_is_none_and_never_zero():
    assert signals(node("king"), 0.6) == {"requests": 0.6, "gpu_usage": None, "memory_used": None}


@given(st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.none() | st.floats(-1e6, 1e6)))
def test_intensity_is_always_between_nothing_and_everything(known):
    assert 0.0 <= weigh(known) <= 1.0
