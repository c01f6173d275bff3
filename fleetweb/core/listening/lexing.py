"""A text stream, cut into words, numbers, signs and line ends as it arrives."""

import re
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    WORD = 1
    HAN = 2  # one Chinese character: Chinese writes no spaces, so each stands for itself
    NUMBER = 3
    SIGN = 4
    BREAK = 5  # a line end


class Lexeme(NamedTuple):
    """One unit of text, in lower case; `start` is its first character's place in the stream."""

    kind: Kind
    text: str
    start: int


# Words and digits are cut at 24 characters, so that "hahaha…" or "142857142857…" without a space
# shows its period (every divisor of 24) as equal units, and no unit grows without bound.
_LEXEME = re.compile(
    r"(?P<HAN>[\u3400-\u9fff])"
    r"|(?P<WORD>(?:[^\W\d_\u3400-\u9fff]|['’](?=[^\W\d_])){1,24})"
    r"|(?P<NUMBER>\d{1,24}(?:[.,:]\d{1,12}){0,3})"
    r"|(?P<BREAK>\n)"
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
        if self._rest.isspace() and "\n" not in self._rest:
            self._offset += len(self._rest)
            self._rest = ""
        matches = list(_LEXEME.finditer(self._rest))
        # The last unit may grow, and a sign of two parts ("don'" + "t", "3," + "5") may join two.
        settled = len(self._rest) - 2
        complete = [match for match in matches[:-1] if match.end() <= settled]
        if not complete:
            return []
        lexemes = [self._lexeme(match) for match in complete]
        cut = complete[-1].end()
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

    def _lexeme(self, match: re.Match[str]) -> Lexeme:
        text = match.group().replace("’", "'").lower()
        kind = _KINDS[match.lastgroup or "SIGN"]
        return Lexeme(kind, text, self._offset + match.start())
