import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.listening.doubt import recurrence
from fleetweb.core.listening.reading import shipped_model

LIKELIHOODS = st.lists(st.floats(min_value=0, max_value=1), max_size=9)


@given(LIKELIHOODS, st.floats(min_value=0, max_value=1))
def test_one_more_look_back_never_makes_recursion_less_sure(before: list[float], more: float):
    assert 0 <= recurrence(before) <= recurrence([*before, more]) <= 1


def test_three_certain_revisits_make_recursion_likely_and_two_do_not():
    assert recurrence([1, 1, 1]) == pytest.approx(0.8)
    assert recurrence([1, 1]) < shipped_model().recursive_from < 0.8


def test_shows_a_label_only_where_it_is_likelier_than_not():
    model = shipped_model()

    assert model.contradiction_from > 0.5
    assert model.recursive_from > 0.5
