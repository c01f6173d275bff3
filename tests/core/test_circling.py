import pytest

from fleetweb.core.listening.circling import Circling, Cycle
from fleetweb.core.listening.lexing import Lexer

LEAD = "The user asks for the capital of Australia. That is Canberra, and not Sydney. "


def caught(text: str) -> tuple[int, Cycle] | None:
    """Where a text is first seen to circle, in characters, and in what."""
    circling = Circling()
    for unit in Lexer().finish(text):
        circling.feed(unit)
        if circling.cycle is not None:
            return unit.start, circling.cycle
    return None


@pytest.mark.parametrize(
    "turn",
    [
        "So the final answer must be 42. ",
        "Let me check the order of the words again, it may be wrong.\n\n",
        "Ich prüfe noch einmal, ob Bern die Hauptstadt ist. ",
        "我再检查一下，答案是长江，没有问题，可以写了。",
        "First I would look at the lights, then at the roads. Hmm, but the roads are closed in "
        "winter, so first the roads and then the lights, unless the user comes in June. In June "
        "there are no lights at all, and so the question is whether they matter, which the user "
        "has not said, although they wrote that they would like to see some of them if possible. ",
    ],
)
def test_notices_a_cycle_by_the_end_of_its_third_turn(turn: str):
    found = caught(LEAD + turn * 4)

    assert found is not None
    assert found[0] <= len(LEAD) + 3 * len(turn)


def test_says_what_goes_round_and_since_when():
    turn = "So the final answer must be Canberra. "

    found = caught(LEAD + turn * 4)

    assert found is not None
    _, cycle = found
    assert (cycle.words, cycle.repeats, cycle.exact) == (8, 3, True)
    assert cycle.start_char == pytest.approx(len(LEAD), abs=2)  # the full stop before counts in


@pytest.mark.parametrize(
    "loop",
    [
        "really " * 30,
        "and down " * 15,
        "Wait, no. Wait, yes. " * 8,
        ". " * 60,
        "!" * 60,
        "\n" * 200,
        "ha" * 100,
        "哈" * 50,
        "🙂" * 50,
        "".join(f"Item {n}: two letters, four digits, fine.\n" for n in range(6, 20)),
        "        self.assertEqual(result, expected)\n" * 12,
        "The total is 9. Yes, the total is 9. So the total is 9. Okay, the total is indeed 9. " * 3,
        "The key is the code, so use the code as key. Use the code as key, so the key is the code. "
        "So the key is the code, use the code as key. Use the code as key, the key is the code. "
        "The key is the code, so use the code as key. So use the code as key, the key is the code. "
        "Use the code as key, so the key is the code. The key is the code, use the code as key.",
    ],
)
def test_notices_loops_of_every_kind(loop: str):
    assert caught(LEAD + loop) is not None


@pytest.mark.parametrize(
    "text",
    [
        "no, no, no, that is very, very, very good, ha ha ha",
        "".join(f"7 × {n} = {7 * n}\n" for n in range(1, 21)),
        "".join(f"Week {n}: run {n} min, walk 2 min, repeat {9 - n} times.\n" for n in range(1, 9)),
        "".join(f"12:00:{n:02} WARN retrying the queue (attempt {n})\n" for n in range(1, 11)),
        "".join(f"Processing file {n} of 30... ok\n" for n in range(1, 31)),
        "0 0 0 0 0\n" * 5,
        "| --- | --- | --- | --- |\n" * 2,
        "-" * 80 + "\nTitle\n" + "=" * 80,
        'print("hello")\n' * 4,
        " ".join(str(n) for n in range(1, 60)),
        "Sleep, little boat, sleep, little boat, the tide will come again. " * 2,
        "1/7 = 0.142857 142857 142857 …, 2/7 = 0.285714 285714 285714 …",
    ],
)
def test_leaves_lists_tables_songs_and_logs_alone(text: str):
    assert caught(LEAD + text) is None


def test_forgets_a_cycle_that_has_ended():
    circling = Circling()
    turn = "Option B seems best because it is the cheapest one. "
    for unit in Lexer().finish(turn * 4 + "Fine, I take it and explain why in two sentences now."):
        circling.feed(unit)

    assert circling.cycle is None
