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
    doubts = rng.sample(_DOUBTS, 6)
    return " ".join(f"{claim} {doubt}" for claim, doubt in zip(_CLAIMS, doubts, strict=True))


def _recurses(rng: random.Random) -> str:
    return " ".join(["Let me think about how to order this.", *rng.sample(_RETURNS, 6)])


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
_CLAIMS = (
    "The bed should face south.",
    "So the beans go in first.",
    "Then the total is 42 square metres.",
    "The wall keeps the frost away.",
    "That means watering every day.",
    "So two beds are enough.",
)
_DOUBTS = (
    "Wait, that contradicts what I said before: the wall stands in the south.",
    "But that can't be right, the two statements cannot both be true.",
    "Hmm, no. That is inconsistent with the earlier assumption.",
    "Actually, that's wrong: it is the opposite of what was given.",
    "However, this conflicts with the first condition.",
    "Wait, no. If that were so, the earlier result would be false.",
)
_RETURNS = (
    "Wait, let me reconsider the order from the beginning.",
    "Let me go back a step and re-think this.",
    "Hmm, let me double-check that before I go on.",
    "Alternatively, let me try another approach.",
    "Let me re-examine the assumption behind that.",
    "Going back to the start once more, let me think again.",
)
_LOOPS = (
    "The answer depends on the soil, and the soil depends on the water, and the water depends on"
    " the season, so the answer depends on the season.",
    "If the fence is first then the bed is second, and if the bed is second then the path is third,"
    " so the fence must be first.",
)
