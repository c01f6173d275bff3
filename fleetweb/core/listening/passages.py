"""A stream's units, grouped into the passages in which a thought is had."""

from collections.abc import Callable
from dataclasses import dataclass

from .lexing import Kind, Lexeme

LONGEST = 24  # words; a passage ends with the sentence that reaches this
_HARD_LIMIT = 160  # units, for text without sentences
_SHORTEST = 4  # words; what is shorter joins the passage after it
_HEAD = 5  # units of a sentence that say whether it turns to something else
_SENTENCE_ENDS = frozenset(".!?。！？")


@dataclass(frozen=True, slots=True)
class Passage:
    """A few sentences, as units, signs included."""

    units: tuple[Lexeme, ...]

    @property
    def start(self) -> int:
        return self.units[0].start

    @property
    def end(self) -> int:
        """One past the last character, in characters from the beginning of the stream."""
        return self.units[-1].start + len(self.units[-1].text)


class Passages:
    """Closes a passage at a line end, at a sentence that turns, or when it has become long.

    `turns` is asked with the first units of each sentence whether it opens a new thought. Without
    it a stream in one long line could not be told apart into passages.
    """

    def __init__(self, turns: Callable[[list[Lexeme]], bool]) -> None:
        self._turns = turns
        self._units: list[Lexeme] = []
        self._words = 0.0
        self._sentence = 0  # where in `_units` the current sentence begins

    def feed(self, unit: Lexeme) -> Passage | None:
        """The passage that `unit` closes, if it does."""
        if unit.kind is Kind.BREAK:
            return self.close() if self._words >= _SHORTEST else None
        closed = self._turn() if self._begins_sentence(unit) else None
        self._units.append(unit)
        self._words += 1.0 if unit.kind is Kind.WORD else 0.6 if unit.kind is Kind.HAN else 0.0
        if closed is None and len(self._units) - self._sentence == _HEAD:
            closed = self._split()
        return closed or (self.close() if len(self._units) >= _HARD_LIMIT else None)

    def close(self) -> Passage | None:
        """What is left, as a passage; None where nothing is."""
        if not self._units:
            return None
        passage = Passage(tuple(self._units))
        self._units, self._words, self._sentence = [], 0.0, 0
        return passage

    def _begins_sentence(self, unit: Lexeme) -> bool:
        if not self._units or self._units[-1].text not in _SENTENCE_ENDS:
            return False
        last = self._units[-1]
        return unit.start > last.start + 1 or last.text in "。！？"

    def _turn(self) -> Passage | None:
        if self._words >= LONGEST:
            return self.close()
        self._sentence = len(self._units)
        return None

    def _split(self) -> Passage | None:
        """Closes what stands before the current sentence, if that one opens a new thought."""
        before, head = self._units[: self._sentence], self._units[self._sentence :]
        words = sum(unit.kind in (Kind.WORD, Kind.HAN) for unit in before)
        if words < _SHORTEST or not self._turns(head):
            return None
        self.close()
        self._units = head
        self._words = sum(
            1.0 if unit.kind is Kind.WORD else 0.6 if unit.kind is Kind.HAN else 0.0
            for unit in head
        )
        return Passage(tuple(before))
