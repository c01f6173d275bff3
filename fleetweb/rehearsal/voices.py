"""What the pretend models say: plain answers, and the ways thinking can go wrong."""

import random
import re
from dataclasses import dataclass
from enum import StrEnum

_TOKEN = re.compile(r"\s?[A-Za-z']{1,7}|\s?\d|\s?[^\w\s]|\s")


class Manner(StrEnum):
    """How a model thinks about one request."""

    PLAIN = "plain"
    CONTRADICTS = "contradicts"
    RECURSES = "recurses"
    CIRCLES = "circles"


@dataclass(frozen=True, slots=True)
class Script:
    """The tokens of one answer, in order."""

    thinking: tuple[str, ...]
    answer: tuple[str, ...]


def tokens(text: str) -> tuple[str, ...]:
    """Text cut about as a tokenizer would; joined, it is the text again."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    """How many tokens a prompt has, about."""
    return max(1, len(text) // 4)


def compose(rng: random.Random, prompt: str, manner: Manner, thinks: bool) -> Script:
    """What is said to `prompt`. A model that does not think goes wrong in its answer instead."""
    asked_at_length = any(word in prompt.lower() for word in ("long", "detail", "story", "essay"))
    answer = " ".join(_paragraph(rng) for _ in range(100 if asked_at_length else rng.randint(2, 4)))
    thinking = _THINKING[manner](rng)
    if thinks:
        return Script(tokens(thinking), tokens(answer))
    wrong = manner is not Manner.PLAIN
    return Script((), tokens(f"{thinking} {answer}" if wrong else answer))


def _paragraph(rng: random.Random) -> str:
    return " ".join(rng.sample(_SENTENCES, 4))


def _plain(rng: random.Random) -> str:
    return " ".join(["First I look at what is asked.", *rng.sample(_THOUGHTS, 4)])


def _contradicts(rng: random.Random) -> str:
    doubts, thoughts = rng.sample(_CONTRADICTIONS, 3), rng.sample(_THOUGHTS, 4)
    return " ".join(["First I look at what is asked.", *doubts, *thoughts])


def _recurses(rng: random.Random) -> str:
    return " ".join(["Let me think about how to order this.", *rng.sample(_RETURNS, 3)])


def _circles(rng: random.Random) -> str:
    loop = rng.choice(_LOOPS)
    return " ".join(["First I look at what is asked.", *([loop] * 14)])


_THINKING = {
    Manner.PLAIN: _plain,
    Manner.CONTRADICTS: _contradicts,
    Manner.RECURSES: _recurses,
    Manner.CIRCLES: _circles,
}

_SENTENCES = (
    "Start with the soil, because everything else follows from it.",
    "A bed that faces south warms two weeks earlier than one that does not.",
    "Beans climb; give them a frame before they ask for one.",
    "Water in the morning, at the root, and not every day.",
    "Keep one corner wild for the insects that do your work.",
    "Measure twice and write the numbers down where you will find them.",
    "The simplest plan that survives a dry week is the right one.",
    "Rotate what you grow, so that nothing learns to eat it.",
    "Leave room to walk, for you will want to look at it.",
    "In the second year you will move half of it, and that is fine.",
    "A fence is cheaper than a summer of lost lettuce.",
    "Compost is patience that you can hold in your hand.",
)
_THOUGHTS = (
    "The question has two parts, and the first decides the second.",
    "There is a short answer and a useful one; the useful one is better here.",
    "An example will make this clearer than a rule.",
    "The order matters: ground, light, water, then plants.",
    "I should say what it costs and how long it takes.",
    "Three steps are enough; more would not be remembered.",
)
_CONTRADICTIONS = (
    "Three beds of 4 square metres each make 12 square metres, and I have put 12 into the plan. "
    "The paths come next. The letter says that there are five beds and that each has 3 square "
    "metres. Wait, that can't be right: I said three beds of 4 above, and the letter has five of "
    "3. Both can't be true at the same time, so my plan contradicts what I was told. One of these "
    "numbers has to be wrong.",
    "The wall stands in the south, so the bed along it lies in shade all day. Then the beans go "
    "there. But the beans need six hours of sun, that was given. Wait, this contradicts itself: a "
    "bed cannot lie in shade all day and have six hours of sun. Either the wall is not in the "
    "south or the beans do not go there; both cannot hold.",
    "Water is there twice a week, and that makes 20 litres for each bed. So 60 litres in all. But "
    "earlier I wrote that the barrel holds 40 litres and is never empty. That is impossible: 60 "
    "litres cannot come out of 40. Hmm, these two statements contradict each other, and I have "
    "used both of them.",
    "The first frost comes in October, so the squash has until October. I have it ripe in "
    "November. Wait, that can't be: in November it would be frozen, and I said that it is "
    "harvested unharmed. So what I assumed and what I concluded contradict each other. Something "
    "that I took as given must be false.",
)
_RETURNS = (
    "17 times 24 is 408. Let me check that again: 20 times 17 is 340, 4 times 17 is 68, so 408. "
    "Same. Let me redo it once more from the start: 24 times 17, 408. Yes, as before.",
    "So the soil goes first and the fence after it. Let me go over that again from the beginning: "
    "soil, then fence. Yes. Going back once more to be sure: soil first, fence second. The same "
    "again.",
    "The total is 503 litres. Let me recount: 408 and 95, that is 503. Right. And once again the "
    "other way, 95 and 408: 503. As I had it.",
    "North is the wall, south is the gate. Let me re-check that: the wall is north, the gate is "
    "south. Yes. Let me go back to it one more time: wall north, gate south. It stays so.",
)
_LOOPS = (
    "The answer depends on the soil, and the soil depends on the water, and the water depends on"
    " the season, so the answer depends on the season.",
    "If the fence is first then the bed is second, and if the bed is second then the path is third,"
    " so the fence must be first.",
)
