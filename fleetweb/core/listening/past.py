"""What a thinker has written so far, as far as what it writes later is held against it."""

from collections import Counter
from collections.abc import Iterable

from .lexing import Kind, Lexeme
from .passages import Passage

_MEMORY = 4000  # words and numbers remembered of what was written before
_COMMON_WORD = 3  # letters; shorter words say nothing about what a passage is about


class Past:
    """What has been written so far, as far as a passage can be held against it."""

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._numbers: dict[str, None] = {}
        self.groups: Counter[str] = Counter()
        self.passages = 0
        self.latest: frozenset[str] = frozenset()  # words and numbers of the passage just before

    def add(self, passage: Passage, groups: Iterable[str]) -> None:
        self.latest = self.learn(passage.units)
        self.groups.update(groups)
        self.passages += 1

    def learn(self, units: Iterable[Lexeme]) -> frozenset[str]:
        """Remembers the words and numbers of `units`, and says which these are."""
        learned = set()
        for unit in units:
            if unit.kind is Kind.NUMBER:
                key, memory = value_of(unit.text), self._numbers
            elif has_content(unit):
                key, memory = unit.text, self._words
            else:
                continue
            _remember(memory, key)
            learned.add(key)
        return frozenset(learned)

    def knows_number(self, value: str) -> bool:
        return value in self._numbers

    def knows_word(self, text: str) -> bool:
        return text in self._words


def has_content(unit: Lexeme) -> bool:
    """Whether the unit says what a passage is about."""
    return (unit.kind is Kind.WORD and len(unit.text) > _COMMON_WORD) or unit.kind is Kind.HAN


def value_of(number: str) -> str:
    """A number as it is compared: 1,200 is 1200."""
    return number.replace(",", "").rstrip(".:")


def _remember(memory: dict[str, None], key: str) -> None:
    memory.pop(key, None)
    memory[key] = None
    if len(memory) > _MEMORY:
        del memory[next(iter(memory))]
