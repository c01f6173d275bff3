import pytest

from fleetweb.core.listening import Listener, Signals
from fleetweb.core.listening.silence import Gap, Gaps, Phase

DOUBT = (
    "Six people at 12 euros each makes 72 euros, and I have put 72 into the plan. "
    "The menu comes next. The list says that eight people come and that each pays 9 euros. "
    "Wait, that can't be right: I said six people at 12 above, and the list has eight at 9. "
    "Both can't be true at the same time, so my plan contradicts what I was told. "
    "One of these numbers has to be wrong. So I should ask before I send it."
)
RETURNS = (
    "17 times 24 is 408. "
    "Let me check that again: 20 times 17 is 340, 4 times 17 is 68, so 408. Same. "
    "Plus 95 is 503. "
    "Let me redo the sum once more: 408 plus 95, 503. Yes, correct. "
    "Minus 12 is 491. "
    "Going back to the first product once again, the other way: 24 times 17 is 408. Right. "
    "And let me recount from the start again: 408, 503, 491. As before. "
    "So 491."
)


def heard(text: str, size: int = 4, *, thinking: bool = True) -> list[Signals]:
    listener, found = Listener(), []
    for n, at in enumerate(range(0, len(text), size)):
        listener.feed(text[at : at + size], n / 20, thinking)
        found.append(listener.signals(n / 20))
    listener.finish(len(text) / 20)
    return [*found, listener.signals(len(text) / 20)]


def value(signals: Signals, signal: str) -> object:
    return next(each.value for each in signals.evidence if each.signal == signal)


def test_follows_a_stream_through_its_phases():
    listener = Listener()
    phases = [listener.signals(0.0).phase]
    listener.progress(4096, 12_288, at=1.0)
    phases.append(listener.signals(1.0).phase)
    listener.feed("Hmm", at=2.0, thinking=True)
    phases.append(listener.signals(2.0).phase)
    listener.feed("Yes", at=3.0)
    phases.append(listener.signals(3.0).phase)
    listener.finish(at=4.0)
    phases.append(listener.signals(4.0).phase)

    assert phases == list(Phase)


def test_tells_how_much_of_the_prompt_is_read():
    listener = Listener()
    listener.progress(4096, 12_288, at=1.0)
    (evidence,) = listener.signals(1.0).evidence

    assert (evidence.signal, evidence.value, evidence.baseline) == (
        "prompt_tokens_read",
        4096,
        12_288,
    )


def test_measures_the_rate_of_the_last_seconds():
    listener = Listener()
    assert listener.signals(0.0).tokens_per_s is None
    for n in range(201):
        listener.feed("word ", at=n / 10)

    assert listener.signals(20.0).tokens_per_s == pytest.approx(10.0)
    assert listener.signals(60.0).tokens_per_s == 0.0


def test_hears_a_contradiction_and_says_where_it_stands():
    found = [signals for signals in heard(DOUBT) if signals.contradiction]

    assert found
    start, end = (value(found[0], f"contradiction_{place}_char") for place in ("start", "end"))
    assert isinstance(start, int)
    assert isinstance(end, int)
    assert "can't" in DOUBT[start:end]


def test_hears_recursion_from_the_third_revisit_on():
    found = [signals for signals in heard(RETURNS) if signals.recursive]

    assert found
    assert value(found[-1], "revisits") in range(3, 6)
    assert not any(signals.contradiction for signals in heard(RETURNS))


def test_hears_a_loop_while_it_lasts():
    text = "I think so. " + "The answer is 12, let me write the answer. " * 5
    ended = text + "Fine. Here is something else, namely a short list of all that they asked for."

    assert value(heard(text)[-2], "cycle_words") == 8
    assert heard(text)[-2].circling
    assert not heard(ended)[-1].circling


def test_an_answer_is_judged_for_loops_only():
    assert not any(signals.contradiction for signals in heard(DOUBT, thinking=False))
    assert any(signals.circling for signals in heard("Yes, of course. " * 12, thinking=False))


def test_a_contradiction_is_over_once_the_thinker_has_moved_on():
    onward = " The garden has a wall and a gate, with roses on both sides of it." * 3
    more = " Further down there is a pond where frogs live in spring, and a bench." * 9

    assert not heard(DOUBT + onward + more)[-1].contradiction


@pytest.mark.parametrize("text", [DOUBT, RETURNS])
def test_hears_the_same_however_the_text_is_cut(text: str):
    wholes = {
        (heard(text, size)[-1].contradiction, heard(text, size)[-1].recursive)
        for size in (1, 3, 17, 1000)
    }

    assert len(wholes) == 1


@pytest.mark.parametrize("text", [DOUBT, RETURNS])
def test_shows_the_same_however_seldom_it_is_asked(text: str):
    asked_once = Listener()
    for n, at in enumerate(range(0, len(text), 4)):
        asked_once.feed(text[at : at + 4], n / 20, thinking=True)
    asked_once.finish(len(text) / 20)

    assert asked_once.signals(len(text) / 20) == heard(text)[-1]


def test_thinking_that_nobody_asked_about_is_not_taken_for_the_answer():
    listener = Listener()
    listener.feed("go on and on. " * 40, at=0.0, thinking=True)
    listener.feed("Done.", at=1.0)

    assert not listener.signals(1.0).circling


def test_calls_nothing_silent_for_minutes_without_having_learned():
    listener = Listener(started_at=0.0)
    assert not listener.signals(300.0).silent
    listener.progress(4096, 200_000, at=300.0)
    assert not listener.signals(800.0).silent
    listener.feed("So", at=900.0, thinking=True)
    assert not listener.signals(950.0).silent


def test_says_how_long_it_has_been_silent_and_what_was_the_longest_before():
    gaps = Gaps.of([Gap(Phase.THINKING, 0.1)] * 500 + [Gap(Phase.THINKING, 22.0)])
    listener = Listener(gaps)
    listener.feed("So", at=10.0, thinking=True)

    assert not listener.signals(30.0).silent
    signals = listener.signals(50.0)
    assert signals.silent
    (evidence,) = signals.evidence
    assert (evidence.signal, evidence.value) == ("gap_ms", 40_000)
    assert evidence.baseline == pytest.approx(22_000)


def test_a_stream_that_is_done_is_not_silent():
    listener = Listener(started_at=0.0)
    listener.finish(at=1.0)

    assert not listener.signals(1e6).silent


def test_gives_the_silences_to_be_learned_from_once():
    listener = Listener(prompt_tokens=900, started_at=0.0)
    listener.feed("So", at=2.0, thinking=True)
    listener.feed(" be", at=2.5, thinking=True)

    assert listener.ended_gaps() == (Gap(Phase.WAITING, 2.0, 900), Gap(Phase.THINKING, 0.5, 900))
    assert listener.ended_gaps() == ()
