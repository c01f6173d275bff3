import pytest

from fleetweb.core.listening.cues import cues
from fleetweb.core.listening.lexing import Lexer
from fleetweb.core.listening.passages import Passage
from fleetweb.core.listening.past import Past
from fleetweb.core.listening.traits import Traits, traits


def passage(text: str) -> Passage:
    return Passage(tuple(Lexer().finish(text)))


def seen(text: str, before: str = "") -> Traits:
    past = Past()
    if before:
        past.add(passage(before), ())
    return traits(passage(text), past, cues(passage(text).units), {})


@pytest.mark.parametrize("text", ["It comes to −8 people.", "x = -8", "那是 -8 人"])
def test_sees_a_number_below_zero(text: str):
    assert "minus" in seen(text).contradiction


@pytest.mark.parametrize("text", ["12 − 8 is 4.", "12-8", "f(x)-8", "a well-known 8"])
def test_takes_a_difference_for_no_number_below_zero(text: str):
    assert "minus" not in seen(text).contradiction


def test_tells_old_numbers_from_new_ones():
    found = seen("So 40, and not 45.", before="I'd answer 45 km/h.").contradiction

    assert found["numbers_known"] == 0.5
    assert found["numbers_mixed"] == 1.0


def test_hears_a_question_that_takes_up_what_was_just_said():
    before = "So 45 kilometres it is."

    assert "echo" in seen("Forty-five kilometres? Hardly.", before).contradiction
    assert "echo" not in seen("Anything else? No.", before).contradiction


def test_weighs_what_stands_side_by_side():
    found = seen("But I said above that it can't be 3.")

    assert found.contradiction["but+self_past"] > 0
    assert found.revisit["denial&claim"] == 1.0


def test_going_back_does_not_hang_on_the_wording():
    found = seen("But I said above that it can't be 3.")

    assert "'i said" in found.contradiction
    assert not any(name.startswith("'") for name in found.revisit)


def test_tells_the_next_passage_of_what_was_denied():
    assert "before:denial" in seen("That can't be.").carried_over()
    assert "before:denial" not in seen("It is a garden.").carried_over()
