import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.listening.doubt import at_least
from fleetweb.core.listening.reading import shipped_model


@given(st.lists(st.floats(min_value=0, max_value=1), max_size=6))
def test_three_or_more_is_as_likely_as_counting_all_outcomes_says(likelihoods: list[float]):
    everyone = range(len(likelihoods))
    outcomes = [set(c) for n in range(3, len(likelihoods) + 1) for c in combinations(everyone, n)]
    expected = sum(
        math.prod(likelihoods[n] if n in happened else 1 - likelihoods[n] for n in everyone)
        for happened in outcomes
    )

    assert at_least(3, likelihoods) == pytest.approx(expected, abs=1e-9)


def test_shows_a_label_only_where_it_is_likelier_than_not():
    model = shipped_model()

    assert model.contradiction_from > 0.5
    assert model.recursive_from > 0.5
