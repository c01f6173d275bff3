"""What words may point to: two thousand turns of phrase in five languages, in some thirty groups.

A cue decides nothing: the groups are only what `doubt.py` weighs, with what was said before. They
are in `cues.json`, by group and language; a phrase that ends in `*` is the beginning of a word.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from .lexing import Lexeme, Lexer

_Phrases = dict[str, list[tuple[tuple[str, ...], str]]]


def _load() -> tuple[_Phrases, dict[str, str], tuple[str, ...]]:
    groups = json.loads(Path(__file__).with_name("cues.json").read_text(encoding="utf-8"))
    phrases: _Phrases = {}
    stems: dict[str, str] = {}
    for group, languages in groups.items():
        for phrase in sorted({phrase for all_ in languages.values() for phrase in all_}):
            if phrase.endswith("*"):
                stems[phrase[:-1]] = group
                continue
            words = tuple(unit.text for unit in Lexer().finish(phrase))
            phrases.setdefault(words[0], []).append((words[1:], group))
    return phrases, stems, tuple(groups)


_PHRASES, _STEMS, GROUPS = _load()
_STEM_LENGTHS = sorted({len(stem) for stem in _STEMS})


@lru_cache(maxsize=4096)
def _stem_group(word: str) -> str | None:
    return next((_STEMS[word[:n]] for n in _STEM_LENGTHS if word[:n] in _STEMS), None)


def cues(units: Sequence[Lexeme]) -> list[tuple[int, str]]:
    """The groups that `units` touch, each with the place of the unit where its phrase begins."""
    found: list[tuple[int, str]] = []
    texts = tuple(unit.text for unit in units)
    for place, text in enumerate(texts):
        for rest, group in _PHRASES.get(text, ()):
            if not rest or texts[place + 1 : place + 1 + len(rest)] == rest:
                found.append((place, group))
        stem = _stem_group(text)
        if stem is not None:
            found.append((place, stem))
    return found


_TURNS = frozenset(
    ("wait", "no", "go_back", "redo", "again", "did_i", "another_route", "but", "contradiction")
)


def turns(head: Sequence[Lexeme]) -> bool:
    """Whether a sentence that begins so leaves the thought before it."""
    return any(group in _TURNS for place, group in cues(head) if place < 3)
