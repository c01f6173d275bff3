"""A text that grows, cut where markdown may be cut: what is finished never changes again."""

import re
from typing import Final

# A block is rendered anew with each push while it is the last one: so long, and no longer.
LONGEST: Final = 12_000
CUT_AT_BLANK_WITHIN: Final = 200

_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_TABLE_RULE = re.compile(r"[\s|:-]*-[\s|:-]*")


class Blocks:
    """`finished` blocks and the `tail` after them.

    Where the cuts fall depends on the text alone, never on the pieces it came in: a text that is
    read from storage has the blocks that were pushed while it was written. A block that grows too
    long is cut inside; a code block then goes on in the next one, and so does a table.
    """

    def __init__(self, *, markdown: bool = True) -> None:
        self.finished: list[str] = []
        self._markdown = markdown
        self._lines = ""  # whole lines of the block that is not finished
        self._partial = ""  # the line that has not ended
        self._head = ""  # repeated from the block before, which was cut
        self._fence = ""  # the line that opened the code block we are in
        self._after_blank = False

    @property
    def tail(self) -> str:
        return self._lines + self._partial

    def feed(self, text: str) -> None:
        """A further piece, of any size."""
        *whole, self._partial = (self._partial + text).split("\n")
        for line in whole:
            self._whole_line(line + "\n")
        self._partial = self._begin(self._partial)

    def _whole_line(self, line: str) -> None:
        line = self._begin(line)
        self._lines += line
        blank = not line.strip()
        self._after_blank = not self._fence and (blank or (self._after_blank and blank))
        if self._markdown:
            self._follow_fence(line)

    def _begin(self, line: str) -> str:
        """What is left of `line` in the block that is not finished, after the cuts before it."""
        if self._after_blank and line[:1].strip():
            self._finish("")
        if len(self._lines) + len(line) > LONGEST and len(self._lines) > len(self._head):
            self._cut()
        while len(line) > LONGEST:
            at = _cut_at(line)
            self._lines, line = self._lines + line[:at], line[at:]
            self._cut()
        return line

    def _follow_fence(self, line: str) -> None:
        fence = _FENCE.match(line)
        if not fence:
            return
        marks, rest = fence.groups()
        if not self._fence:
            self._fence = "" if "`" in rest and marks[0] == "`" else line
        elif not rest.strip() and marks.startswith(self._marks):
            self._fence = ""

    @property
    def _marks(self) -> str:
        fence = _FENCE.match(self._fence)
        return fence.group(1) if fence else ""

    def _cut(self) -> None:
        if self._fence:
            end = "" if self._lines.endswith("\n") else "\n"
            self._finish(self._fence, f"{end}{self._marks}\n")
        else:
            self._finish(self._table_head())

    def _table_head(self) -> str:
        first, _, rest = self._lines.partition("\n")
        second = rest.partition("\n")[0]
        is_table = self._markdown and "|" in first and _TABLE_RULE.fullmatch(second)
        return f"{first}\n{second}\n" if is_table else ""

    def _finish(self, head: str, end: str = "") -> None:
        if self._lines.strip():
            self.finished.append(self._lines + end)
        self._lines = self._head = head if len(head) < LONGEST // 4 else ""
        self._after_blank = False


def blocks_of(text: str, *, markdown: bool = True) -> list[str]:
    """All blocks of a text that is whole, the last one with them."""
    blocks = Blocks(markdown=markdown)
    blocks.feed(text)
    return [*blocks.finished, *([blocks.tail] if blocks.tail.strip() else [])]


def _cut_at(line: str) -> int:
    """Where a line that is too long is cut: at a blank, if there is one near."""
    blank = line.rfind(" ", LONGEST - CUT_AT_BLANK_WITHIN, LONGEST)
    return LONGEST if blank < 0 else blank + 1
