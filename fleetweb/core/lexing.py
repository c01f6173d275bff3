"""A text stream, cut into words, numbers, signs and line ends as it arrives."""

import re
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    WORD = 1
    HAN = 2  # one Chinese character: Chinese writes no spaces, so each stands for itself
    NUMBER = 3
    SIGN = 4
    BREAK = 5  # one or more line ends


class Lexeme(NamedTuple):
    """One unit of text, in lower case. `start` counts characters from the beginning of the stream."""

    kind: Kind
    text: str
    start: int


# Words and digits are cut at 24 characters, so that "hahaha…" or "142857142857…" without a space
# shows its period (every divisor of 24) as equal units, and no unit grows without bound.
_LEXEME = re.compile(
    r"(?P<HAN>[\u3400-\u9fff])"
    r"|(?P<WORD>(?:[^\W\d_\u3400-\u9fff]|['’](?=[^\W\d_])){1,24})"
    r"|(?P<NUMBER>\d{1,24}(?:[.,:]\d{1,12})*)"
    r"|(?P<BREAK>\n\s*)"
    r"|(?P<SIGN>[^\w\s]|_)"
)
_KINDS = {kind.name: kind for kind in Kind}


class Lexer:
    """Cuts a stream fed in pieces of any size exactly as it would cut the whole text."""

    def __init__(self) -> None:
        self._rest = ""
        self._offset = 0

    def feed(self, text: str) -> list[Lexeme]:
        """The units that `text` completes. The last one waits: the next piece may lengthen it."""
        self._rest += text
        matches = list(_LEXEME.finditer(self._rest))
        if not matches:
            return []
        complete = matches[:-1]
        # A lookahead of one character ("don'" + "t", "3," + "5") can change the last two units.
        while complete and self._undecided(complete[-1].end()):
            complete.pop()
        cut = complete[-1].end() if complete else 0
        lexemes = [self._lexeme(match) for match in complete]
        self._rest = self._rest[cut:]
        self._offset += cut
        return lexemes

    def finish(self, text: str = "") -> list[Lexeme]:
        """`text` and whatever is left, now that the stream has ended."""
        self._rest += text
        lexemes = [self._lexeme(match) for match in _LEXEME.finditer(self._rest)]
        self._offset += len(self._rest)
        self._rest = ""
        return lexemes

    def _undecided(self, end: int) -> bool:
        return len(self._rest) - end < 2

    def _lexeme(self, match: re.Match[str]) -> Lexeme:
        text = match.group().replace("’", "'").lower()
        kind = _KINDS[match.lastgroup or "SIGN"]
        return Lexeme(kind, "\n" if kind is Kind.BREAK else text, self._offset + match.start())
