import pytest

from fleetweb.core.listening.cues import cues
from fleetweb.core.listening.lexing import Lexer
from fleetweb.core.listening.passages import Passage
from fleetweb.core.listening.traits import Features, Past, features


def passage(text: str) -> Passage:
    return Passage(tuple(Lexer().finish(text)))


def seen(text: str, before: str = "") -> Features:
    past = Past()
    if before:
        past.add(passage(before), ())
    return features(passage(text), past, cues(passage(text).units))


@pytest.mark.parametrize("text", ["It comes to −8 people.", "x = -8", "那是 -8 人"])
def test_sees_a_number_below_zero(text: str):
    assert "minus" in seen(text)


@pytest.mark.parametrize("text", ["12 − 8 is 4.", "12-8", "f(x)-8", "a well-known 8"])
def test_takes_a_difference_for_no_number_below_zero(text: str):
    assert "minus" not in seen(text)


def test_tells_old_numbers_from_new_ones():
    found = seen("So 40, and not 45.", before="I'd answer 45 km/h.")

    assert found["numbers_known"] == 0.5
    assert found["numbers_mixed"] == 1.0


def test_hears_a_question_that_takes_up_what_was_just_said():
    assert "echo" in seen("Forty-five kilometres? Hardly.", before="So 45 kilometres it is.")
    assert "echo" not in seen("Anything else? No.", before="So 45 kilometres it is.")


def test_weighs_what_stands_side_by_side():
    found = seen("But I said above that it can't be 3.")

    assert found["but+self_past"] > 0
    assert "'i said" in found


def test_a_phrase_inside_a_longer_one_is_no_phrase_of_its_own():
    groups = [group for _, group in cues(passage("他的说法是不是对").units)]

    assert "did_i" in groups
    assert "mismatch" not in groups
