"""How likely a passage of thought is to run into a contradiction, or to go over settled work again.

A small logistic model weighs what the words of a passage point to (`cues.py`) against what was
written before: whether its numbers and words are old ones meeting again, whether the thinker speaks
of its own claims or of somebody else's. It was trained by `tests/listening/train.py` on the streams
kept beside that script.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cues import GROUPS, cues
from .lexing import Kind, Lexeme, Lexer
from .passages import Passage

Features = dict[str, float]

_HEAD_UNITS = 12
_MEMORY = 4000  # words and numbers remembered of what was written before
_COMMON_WORD = 3  # letters; shorter words say nothing about what a passage is about


class Past:
    """What has been written so far, as far as a passage can be held against it."""

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._numbers: dict[str, None] = {}
        self.groups: Counter[str] = Counter()
        self.passages = 0

    def add(self, passage: Passage, groups: Iterable[str]) -> None:
        self.learn(passage.units)
        self.groups.update(groups)
        self.passages += 1

    def learn(self, units: Iterable[Lexeme]) -> None:
        for unit in units:
            if unit.kind is Kind.NUMBER:
                _remember(self._numbers, _value(unit.text))
            elif _has_content(unit):
                _remember(self._words, unit.text)

    def knows_number(self, text: str) -> bool:
        return _value(text) in self._numbers

    def knows_word(self, text: str) -> bool:
        return text in self._words


def features(passage: Passage, past: Past, groups: list[tuple[int, str]]) -> Features:
    """What the model weighs about `passage`, each between 0 and about 1."""
    found: Features = {"bias": 1.0}
    counts = Counter(group for _, group in groups)
    head = {group for place, group in groups if place < _HEAD_UNITS}
    opening = {group for place, group in groups if place < 3}
    for group in GROUPS:
        if counts[group]:
            found[group] = min(counts[group], 3) / 3 + 0.5
            if group in head:
                found[f"head:{group}"] = 1.0
            if group in opening:
                found[f"open:{group}"] = 1.0
    found.update(_signs(passage))
    found.update(_echoes(passage, past))
    found.update(_setting(past))
    found.update(_pairs(found))
    return found


def _signs(passage: Passage) -> Features:
    texts = Counter(unit.text for unit in passage.units)
    words = sum(unit.kind in (Kind.WORD, Kind.HAN) for unit in passage.units)
    quotes = sum(texts[sign] for sign in '"“”„«»「」')
    formal = sum(texts[sign] for sign in "{}()[];=<>|\\`_$")
    found = {
        "length": min(words, 60) / 60,
        "short": float(words < 8),
        "question": float(texts["?"] + texts["？"] > 0),
        "quotes": min(quotes, 4) / 4,
        "formal": min(formal, 12) / 12,
        "equals": float(texts["="] > 0),
        "listed": float(passage.units[0].text in "-*•|#"),
    }
    return {name: value for name, value in found.items() if value}


def _carried_over(found: Features) -> Features:
    """What the next passage is told of this one: a revisit often follows on a contradiction."""
    kept = ("denial", "claim", "returns")
    return {f"before:{name}": 0.5 for name in found if name.startswith("head:") or name in kept}


def _echoes(passage: Passage, past: Past) -> Features:
    numbers = {unit.text for unit in passage.units if unit.kind is Kind.NUMBER}
    known = sum(past.knows_number(number) for number in numbers)
    words = {unit.text for unit in passage.units if _has_content(unit)}
    found = {"words_known": sum(map(past.knows_word, words)) / len(words) if words else 0.0}
    if numbers:
        found["numbers"] = 1.0
        found["numbers_known"] = known / len(numbers)
        found["two_numbers_known"] = float(known >= 2)
        found["all_numbers_known"] = float(known == len(numbers))
    return {name: value for name, value in found.items() if value}


def _setting(past: Past) -> Features:
    """What kind of stream this is: just begun, a proof, talk of other people's claims."""
    found = {
        "first": float(past.passages == 0),
        "second": float(past.passages == 1),
        "past:contradiction": min(past.groups["contradiction"], 3) / 3,
        "past:third": min(past.groups["third"], 6) / 6,
        "past:proof": min(past.groups["proof"], 4) / 4,
        "past:hypothesis": min(past.groups["hypothesis"], 4) / 4,
        "past:repetition_subject": min(past.groups["repetition_subject"], 4) / 4,
        "past:again": min(past.groups["again"] + past.groups["redo"], 4) / 4,
    }
    return {name: value for name, value in found.items() if value}


_DENIALS = ("cannot", "impossible", "mismatch", "clash", "contradiction", "opposite", "false")
_CLAIMS = ("self_past", "my", "back_reference")
_RETURNS = ("again", "redo", "go_back", "another_route", "did_i")


def _pairs(found: Mapping[str, float]) -> Features:
    """Groups that mean something only side by side."""
    denial = sum(name in found for name in _DENIALS)
    claim = sum(name in found for name in _CLAIMS)
    returns = sum(name in found for name in _RETURNS)
    both = {
        "denial": min(denial, 3) / 3,
        "claim": min(claim, 3) / 3,
        "denial+claim": float(denial > 0 and claim > 0),
        "denials+claim": float(denial > 1 and claim > 0),
        "denial+wait": float(denial > 0 and ("open:wait" in found or "open:but" in found)),
        "denial+numbers": float(denial > 0 and "two_numbers_known" in found),
        "denial+claim+numbers": float(denial > 0 and claim > 0 and "numbers_known" in found),
        "denial+together": float(denial > 0 and "together" in found),
        "denial+third": float(denial > 0 and "third" in found and not claim),
        "denial+proof": float(denial > 0 and "proof" in found),
        "claim+compare+numbers": float(
            claim > 0 and "compare" in found and "numbers_known" in found
        ),
        "claim+question": float(claim > 0 and "question" in found),
        "returns": min(returns, 3) / 3,
        "returns>1": float(returns > 1),
        "returns+confirm": float(returns > 0 and "confirm" in found),
        "returns+numbers": float(returns > 0 and "numbers_known" in found),
        "returns+outline": float(returns > 0 and "outline" in found),
        "returns+third": float(returns > 0 and "third" in found),
        "returns+repetition": float(returns > 0 and "repetition_subject" in found),
        "again+redo": float("again" in found and ("redo" in found or "go_back" in found)),
        "open_return": float(any(f"head:{name}" in found for name in ("again", "redo", "go_back"))),
    }
    return {name: value for name, value in both.items() if value}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a passage is a contradiction or a revisit, each 0..1."""

    contradiction: float
    revisit: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by feature for two questions, and from which likelihood on a label is shown.

    A label that was not precise enough when the model was trained has a bound above 1: never shown.
    """

    contradiction: Mapping[str, float]
    revisit: Mapping[str, float]
    contradiction_from: float = 2.0
    recursive_from: float = 2.0


def load_model() -> Model:
    """The model that ships with fleetweb."""
    path = Path(__file__).with_name("doubt_model.json")
    return Model(**json.loads(path.read_text(encoding="utf-8")))


class Doubt:
    """Judges the passages of one stream in order. What the `prompt` says counts as said before."""

    def __init__(self, model: Model, prompt: str = "") -> None:
        self._model = model
        self._past = Past()
        self._before: Features = {}
        if prompt:
            self._past.learn(Lexer().finish(prompt))

    def judge(self, passage: Passage) -> Judgement:
        found = self.observe(passage)
        return Judgement(
            contradiction=probability(self._model.contradiction, found),
            revisit=probability(self._model.revisit, found),
            start=passage.start,
            end=passage.end,
        )

    def observe(self, passage: Passage) -> Features:
        """The features of `passage`, which then belongs to the past."""
        groups = cues(passage.units)
        found = features(passage, self._past, groups)
        before, self._before = self._before, _carried_over(found)
        self._past.add(passage, (group for _, group in groups))
        return found | before


def at_least(count: int, likelihoods: Iterable[float]) -> float:
    """How likely `count` or more of independent events are, each with its own likelihood."""
    exactly = [1.0] + [0.0] * count  # the last place collects "count or more"
    for likely in likelihoods:
        for n in range(count, 0, -1):
            stays = 1.0 if n == count else 1.0 - likely
            exactly[n] = exactly[n] * stays + exactly[n - 1] * likely
        exactly[0] *= 1.0 - likely
    return exactly[count]


def probability(weights: Mapping[str, float], found: Features) -> float:
    """What a logistic model makes of `found`."""
    total = sum(weights.get(name, 0.0) * value for name, value in found.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def _has_content(unit: Lexeme) -> bool:
    return (unit.kind is Kind.WORD and len(unit.text) > _COMMON_WORD) or unit.kind is Kind.HAN


def _value(number: str) -> str:
    return number.replace(",", "").rstrip(".:")


def _remember(memory: dict[str, None], key: str) -> None:
    memory.pop(key, None)
    memory[key] = None
    if len(memory) > _MEMORY:
        del memory[next(iter(memory))]
