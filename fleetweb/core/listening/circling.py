"""Whether a stream has begun to repeat itself without end.

Two watchers share the work. `_Periods` sees exact cycles of 1 to 176 units (about 80 words), in
which numbers may count up or down. `_Recurrence` sees cycles that are only nearly the same: a
stretch in which, fillers aside, almost everything comes for the third time.
"""

import re
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from .lexing import Kind, Lexeme

LONGEST_PERIOD = 176
_PLACES_PER_UNIT = 48  # how many earlier places of one unit are compared

# Short cycles occur in honest text ("very, very", "down and down"), so a cycle of few words must
# repeat until it has covered this many; one of six words or more is called at its third repeat.
_COVERED_WORDS = 16
_REPEATS = 3
_REPEATS_OF_ANYTHING = 10  # ... or has come round so often that its length no longer matters
_COUNTER_REPEATS = 5
_DOWNWARD_REPEATS = 10  # countdowns and counting-out songs end by themselves
_FORMAL_REPEATS = 6  # logs, tables and code say the same thing several times on purpose
_FORMAL_COUNTER_REPEATS = 12
_BARE_CHARS = 36  # signs and digits alone, on one line
_BARE_CHARS_OF_RULERS = 120
_BARE_CHARS_IN_LINES = 150  # grids and empty boards
_RULERS = frozenset("-=_*~#+|–—")
_FORMAL_SIGNS = frozenset("{}()[];=<>|\\`$")


@dataclass(frozen=True, slots=True)
class Cycle:
    """What goes round. `words` are those of one turn; `start_char` is where the turns began.

    Where it is not `exact`, there is no one turn to count: `words` is 0 and `repeats` the least.
    """

    words: int
    repeats: int
    start_char: int
    exact: bool


class Circling:
    """Fed unit by unit; `cycle` is what the stream is caught in now, None while it moves on."""

    def __init__(self) -> None:
        self._periods = _Periods()
        self._recurrence = _Recurrence()

    @property
    def cycle(self) -> Cycle | None:
        return self._periods.cycle or self._recurrence.cycle

    def feed(self, unit: Lexeme) -> None:
        self._periods.feed(unit)
        self._recurrence.feed(unit)


class _Periods:
    def __init__(self) -> None:
        self.cycle: Cycle | None = None
        self._count = 0
        self._recent: deque[Lexeme] = deque(maxlen=LONGEST_PERIOD * 3)
        self._places: dict[str, deque[int]] = {}
        self._runs: dict[int, int] = {}

    def feed(self, unit: Lexeme) -> None:
        shape = "#" if unit.kind is Kind.NUMBER else unit.text
        here = self._count
        places = self._places.get(shape)
        if places is None:
            places = self._places[shape] = deque(maxlen=_PLACES_PER_UNIT)
        # A run at lag p says for how many units in a row each has equalled the one p before it.
        runs, oldest = self._runs, here - LONGEST_PERIOD
        self._runs = {here - at: runs.get(here - at, 0) + 1 for at in places if at >= oldest}
        places.append(here)
        self._recent.append(unit)
        self._count = here + 1
        self._judge()
        if here % 512 == 0:
            self._forget(oldest)

    def _judge(self) -> None:
        if max(self._runs.values(), default=0) < 2:  # nearly always, and quickly told
            self.cycle = None
            return
        period = min((lag for lag, run in self._runs.items() if run >= 2 * lag), default=0)
        if not period:
            self.cycle = None
        elif self.cycle is None or self._runs[period] % period == 0:
            self.cycle = self._cycle(period, 1 + self._runs[period] // period)

    def _cycle(self, period: int, repeats: int) -> Cycle | None:
        seen = list(self._recent)[-period * min(repeats, 3) :]
        turns = [seen[at : at + period] for at in range(0, len(seen), period)]
        words = sum(_weight(unit) for unit in turns[-1])
        if not _is_endless(turns, words, repeats):
            return None
        start = self._recent[max(-len(self._recent), -period * repeats)].start
        return Cycle(round(words), repeats, start, exact=True)

    def _forget(self, oldest: int) -> None:
        self._places = {
            shape: places for shape, places in self._places.items() if places[-1] >= oldest
        }


def _is_endless(turns: list[list[Lexeme]], words: float, repeats: int) -> bool:
    """Whether so many equal turns are a loop and not a list, a table, a song or a log."""
    step = _counter_step(turns)
    if step is None:
        return False
    turn = turns[-1]
    if not words:
        return step == 0 and repeats * sum(len(u.text) for u in turn) >= _bare_chars(turns)
    formal = any(unit.text in _FORMAL_SIGNS or _is_clock(unit) for unit in turn)
    if step == 0:
        needed = _FORMAL_REPEATS if formal else _REPEATS
        return repeats >= needed and (
            words * repeats >= _COVERED_WORDS or repeats >= _REPEATS_OF_ANYTHING
        )
    if words < 3 or _counts_towards_an_end(turns):
        return False
    if step < 0:
        return repeats >= _DOWNWARD_REPEATS
    return repeats >= (_FORMAL_COUNTER_REPEATS if formal else _COUNTER_REPEATS)


def _bare_chars(turns: list[list[Lexeme]]) -> int:
    """How many characters a cycle without words must fill before it means anything."""
    last = turns[-1]
    if any(unit.kind is Kind.BREAK for unit in last):
        return _BARE_CHARS_IN_LINES
    ruler = all(unit.text in _RULERS for unit in last)
    span = last[-1].start - turns[-2][-1].start
    return _BARE_CHARS_OF_RULERS if ruler and span == len(last) else _BARE_CHARS


def _counter_step(turns: list[list[Lexeme]]) -> int | None:
    """0 where all numbers stay, 1 or -1 where some count so; None where they say more."""
    steps = set()
    for slot in zip(*turns, strict=True):
        if slot[0].kind is Kind.NUMBER and len({unit.text for unit in slot}) > 1:
            steps |= _steps(slot)
    if not steps:
        return 0
    return steps.pop() if steps in ({1}, {-1}) else None


def _steps(slot: tuple[Lexeme, ...]) -> set[int]:
    values = [_whole(unit) for unit in slot]
    return {0 if a is None or b is None else b - a for a, b in pairwise(values)}


def _whole(unit: Lexeme) -> int | None:
    text = unit.text
    return int(text) if unit.kind is Kind.NUMBER and text.isascii() and text.isdigit() else None


def _counts_towards_an_end(turns: list[list[Lexeme]]) -> bool:
    """Whether a fixed number beside the counter is its goal, as in "file 3 of 8"."""
    values = [
        (_whole(now), now.text != before.text)
        for now, before in zip(turns[-1], turns[-2], strict=True)
    ]
    counters = [value for value, changes in values if value is not None and changes]
    fixed = [value for value, changes in values if value is not None and not changes]
    return any(goal >= counter for goal in fixed for counter in counters)


def _is_clock(unit: Lexeme) -> bool:
    return unit.kind is Kind.NUMBER and ":" in unit.text


def _weight(unit: Lexeme) -> float:
    """How much of a word a unit is. A Chinese word has about 1.6 characters."""
    if unit.kind is Kind.WORD:
        return 1.0 + len(unit.text) // 8  # a string without spaces is several words
    return 0.6 if unit.kind is Kind.HAN else 0.0


def _says_something(unit: Lexeme) -> bool:
    return unit.kind is Kind.HAN or len(unit.text) > 1


class _Recurrence:
    """Counts how many of the latest three-word stretches have occurred twice before."""

    _MEMORY = 400  # words
    _WINDOW = 20
    _FAMILIAR = 19

    def __init__(self) -> None:
        self.cycle: Cycle | None = None
        self._words: deque[Lexeme] = deque(maxlen=3)
        self._seen: dict[tuple[str, ...], int] = {}
        self._order: deque[tuple[str, ...]] = deque()
        self._window: deque[tuple[bool, int]] = deque()
        self._familiar = 0  # how many of the window are known

    def feed(self, unit: Lexeme) -> None:
        if unit.kind >= Kind.SIGN or unit.text in _FILLERS:
            return
        self._words.append(unit)
        if len(self._words) < 3:
            return
        first, second, third = self._words
        stretch = (first.text, second.text, third.text)
        if _says_something(first) + _says_something(second) + _says_something(third) > 1:
            self._slide(self._seen.get(stretch, 0) >= 2, unit.start)
        self._remember(stretch)

    def _slide(self, known: bool, start: int) -> None:
        self._window.append((known, start))
        self._familiar += known
        if len(self._window) > self._WINDOW:
            self._familiar -= self._window.popleft()[0]
        if self._familiar < self._FAMILIAR:
            self.cycle = None
        elif self.cycle is None:
            self.cycle = Cycle(0, _REPEATS, self._window[0][1], exact=False)

    def _remember(self, stretch: tuple[str, ...]) -> None:
        self._seen[stretch] = self._seen.get(stretch, 0) + 1
        self._order.append(stretch)
        if len(self._order) > self._MEMORY:
            old = self._order.popleft()
            self._seen[old] -= 1
            if not self._seen[old]:
                del self._seen[old]


_FILLERS = frozenset(
    re.findall(
        r"\S+",
        """
        so yes no ok okay well hmm hm oh right wait then now again really indeed just also still but
        and actually maybe perhaps anyway therefore thus sure yeah
        ja nein gut nun dann wirklich doch noch aber und wohl tatsächlich jetzt
        sí bien pues entonces bueno vale ahora realmente y pero
        oui non bon donc alors vraiment encore et mais
        嗯 好 那 就 也 是 的 了 吧 啊
        """,
    )
)
