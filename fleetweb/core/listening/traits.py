"""What there is to weigh about a passage of thought, held against what was written before it.

Whether its numbers and words are old ones meeting again, whether the thinker speaks of its own
claims or of somebody else's, and which of the groups of `cues.py` stand side by side in it. Whether
it contradicts something hangs on the wording too; that it goes back is said in few ways, and to
weigh more than those finds fewer revisits on text that nothing was learned from.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from .cues import GROUPS
from .lexing import Kind, Lexeme
from .passages import Passage
from .past import Past, has_content, value_of

Features = dict[str, float]

_HEAD_UNITS = 12
_OPENING_UNITS = 3
_ECHO_UNITS = 10  # a question as short as this takes up what was just said: "Minus five people?"


@dataclass(frozen=True, slots=True)
class Traits:
    """What is weighed for each of the two questions, each feature between 0 and about 1."""

    contradiction: Features
    revisit: Features

    def carried_over(self) -> Features:
        """What the next passage is told of this one: a revisit often follows on a contradiction."""
        kept = ("denial", "claim", "returns")
        found = self.revisit
        return {f"before:{name}": 0.5 for name in found if name.startswith("head:") or name in kept}


def traits(passage: Passage, past: Past, groups: list[tuple[int, str]], before: Features) -> Traits:
    """`before` is what was carried over from the passage before."""
    found = _groups(groups)
    found.update(_signs(passage))
    numbers = _Numbers.of(passage, past)
    found.update(_echoes(passage, past, numbers))
    found.update(_kinds(found))
    around = _setting(past) | before | {"bias": 1.0}
    finer = found | _finer(passage, past, numbers, found)
    return Traits(
        contradiction=finer | _side_by_side(finer) | _wording(passage.units) | around,
        revisit=found | _together(found) | around,
    )


def _groups(groups: list[tuple[int, str]]) -> Features:
    counts = Counter(group for _, group in groups)
    head = {group for place, group in groups if place < _HEAD_UNITS}
    opening = {group for place, group in groups if place < _OPENING_UNITS}
    found: Features = {}
    for group in GROUPS:
        if counts[group]:
            found[group] = min(counts[group], 3) / 3 + 0.5
            if group in head:
                found[f"head:{group}"] = 1.0
            if group in opening:
                found[f"open:{group}"] = 1.0
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


def _has_minus(units: tuple[Lexeme, ...]) -> bool:
    """Whether a number below zero stands there, and not one that is taken from another."""
    return any(
        sign.text in "-−–"
        and number.kind is Kind.NUMBER
        and number.start == sign.start + 1
        and before.kind is not Kind.NUMBER
        and sign.start > before.start + len(before.text)
        for before, sign, number in zip(units, units[1:], units[2:], strict=False)
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Those of a passage, and which of them were written before."""

    all: frozenset[str]
    known: frozenset[str]

    @classmethod
    def of(cls, passage: Passage, past: Past) -> "_Numbers":
        numbers = {value_of(unit.text) for unit in passage.units if unit.kind is Kind.NUMBER}
        return cls(frozenset(numbers), frozenset(filter(past.knows_number, numbers)))


def _echoes(passage: Passage, past: Past, numbers: _Numbers) -> Features:
    known = len(numbers.known)
    words = {unit.text for unit in passage.units if has_content(unit)}
    found = {"words_known": sum(map(past.knows_word, words)) / len(words) if words else 0.0}
    if numbers.all:
        found["numbers"] = 1.0
        found["numbers_known"] = known / len(numbers.all)
        found["two_numbers_known"] = float(known >= 2)
        found["all_numbers_known"] = float(known == len(numbers.all))
    return {name: value for name, value in found.items() if value}


def _finer(passage: Passage, past: Past, numbers: _Numbers, found: Features) -> Features:
    """What tells a clash from an agreement, and nothing of going back."""
    signs = {
        "minus": _has_minus(passage.units),
        "numbers_mixed": 0 < len(numbers.known) < len(numbers.all),
        "numbers_old": bool(numbers.known - past.latest),
        "echo": _is_echo(passage.units, past),
        "several_denials": _denies_twice(found),
        "opens_doubting": _opens_doubting(found),
    }
    return {name: 1.0 for name, holds in signs.items() if holds}


def _is_echo(units: tuple[Lexeme, ...], past: Past) -> bool:
    """Whether the passage opens with a short question about what has just been said."""
    for place, unit in enumerate(units[:_ECHO_UNITS]):
        if unit.text in "?？":
            return any(key in past.latest for key in _keys(units[:place]))
        if unit.text in ".。!！":
            return False
    return False


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


def _kinds(found: Mapping[str, float]) -> Features:
    """How many groups deny something, claim something as the thinker's own, or go back."""
    kinds = {
        name: sum(group in found for group in groups)
        for name, groups in (("denial", _DENIALS), ("claim", _CLAIMS), ("returns", _RETURNS))
    }
    heads = any(f"head:{name}" in found for name in ("again", "redo", "go_back"))
    more = {
        **{name: min(count, 3) / 3 for name, count in kinds.items()},
        "several_returns": float(kinds["returns"] > 1),
        "opens_returning": float(heads),
    }
    return {name: value for name, value in more.items() if value}


def _denies_twice(found: Features) -> bool:
    return sum(group in found for group in _DENIALS) > 1


def _opens_doubting(found: Features) -> bool:
    return "open:wait" in found or "open:but" in found


def _together(found: Features) -> Features:
    """Those that mean something for going back only side by side."""
    denies, claims, returns = "denial" in found, "claim" in found, "returns" in found
    again = "again" in found and ("redo" in found or "go_back" in found)
    known, third = "numbers_known" in found, "third" in found
    both = {
        "denial&claim": denies and claims,
        "denials&claim": claims and _denies_twice(found),
        "denial&doubt": denies and _opens_doubting(found),
        "denial&numbers": denies and "two_numbers_known" in found,
        "denial&claim&numbers": denies and claims and known,
        "denial&together": denies and "together" in found,
        "denial&third": denies and third and not claims,
        "denial&proof": denies and "proof" in found,
        "claim&compare&numbers": claims and "compare" in found and known,
        "claim&question": claims and "question" in found,
        "returns&confirm": returns and "confirm" in found,
        "returns&numbers": returns and known,
        "returns&outline": returns and "outline" in found,
        "returns&third": returns and third,
        "returns&repetition": returns and "repetition_subject" in found,
        "again&redo": again,
    }
    return {name: 1.0 for name, holds in both.items() if holds}


def _side_by_side(found: Mapping[str, float]) -> Features:
    """Every two of the features so far that are there at once: what a word means hangs on these."""
    alone = sorted((name, min(value, 1.0)) for name, value in found.items() if ":" not in name)
    return {
        f"{one}+{other}": _TOGETHER * here * there
        for (one, here), (other, there) in combinations(alone, 2)
    }


_TOGETHER = 0.5  # pairs are many and seen seldom: each is worth less than what it is made of


def _wording(units: tuple[Lexeme, ...]) -> Features:
    """The words themselves and every two in a row, whatever number it is that stands there."""
    texts = ["#" if unit.kind is Kind.NUMBER else unit.text for unit in units]
    found = {f"'{text}": _WORD for text in texts}
    found.update({f"'{one} {other}": _WORD for one, other in pairwise(texts)})
    return found


_WORD = 0.3  # words are more still


def _keys(units: Iterable[Lexeme]) -> Iterable[str]:
    for unit in units:
        if unit.kind is Kind.NUMBER:
            yield value_of(unit.text)
        elif has_content(unit):
            yield unit.text
