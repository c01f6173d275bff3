"""The same figures as the charts', to be read.

Whoever looks at charts opens few tables: of the others there is only how many rows they have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .. import figures
from .book import Book, Line
from .measures import Measure, Value, columns
from .times import Wall, step_words

NOT_KNOWN = "–"

# In words, of every machine at every point.
Told = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class RowCard:
    at: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableCard:
    """`rows` is empty while it is closed; `size` says how many there are, and how far apart.

    `blank` is how many points are left out, because nothing is known of them at all. `address` is
    the query of the page with this table open as well, `own` that of this one alone.
    """

    id: str
    name: str
    size: str
    is_open: bool
    heads: tuple[str, ...]
    rows: tuple[RowCard, ...]
    blank: int
    address: str
    own: str


@dataclass(frozen=True, slots=True)
class TotalsCard:
    """All lines side by side, over the whole time."""

    heads: tuple[str, ...]
    rows: tuple[RowCard, ...]


def totals(book: Book) -> TotalsCard:
    kept = columns(book.lines)
    rows = tuple(
        RowCard(line.name, tuple(_cells(m, [m.total(line)])[0] for m in kept))
        for line in book.lines
    )
    return TotalsCard(tuple(m.head for m in kept), rows)


def tables(book: Book, told: Told, wall: Wall) -> tuple[TableCard, ...]:
    """One for each line, those that were opened with their rows."""
    return tuple(table(book, line, told.get(line.name, ()), wall) for line in book.lines)


def table(book: Book, line: Line, told: Sequence[str], wall: Wall) -> TableCard:
    """`line` as a table. `told` is what its machine did at each point."""
    asked, did = book.asked, told if line.readings else ()
    places, is_open = _known(line, did), line.name in asked.opened
    opened = (*(name for name in asked.opened if name != line.name), line.name)
    return TableCard(
        id=f"table-{book.options.index(line.name)}",
        name=line.name,
        size=f"{figures.plural(len(places), 'row')} of {step_words(book.grid, book.step)}",
        is_open=is_open,
        heads=(*(m.head for m in columns([line])), *(("What it did",) if did else ())),
        rows=_rows(book, line, did, places, wall) if is_open else (),
        blank=len(line.points) - len(places),
        address=replace(asked, opened=opened).address(),
        own=replace(asked, opened=(line.name,)).address(),
    )


def _known(line: Line, did: Sequence[str]) -> list[int]:
    """The points of which anything is known."""
    found = {i for i, point in enumerate(line.points) if point.count}
    found.update(i for i, reading in enumerate(line.readings) if reading.samples)
    found.update(i for i, words in enumerate(did) if words)
    return sorted(found)


def _rows(
    book: Book, line: Line, did: Sequence[str], places: Sequence[int], wall: Wall
) -> tuple[RowCard, ...]:
    values = [_cells(m, m.values(line)) for m in columns([line])]
    if did:
        values.append([words or NOT_KNOWN for words in did])
    return tuple(
        RowCard(wall.slot(book.grid[i]), tuple(column[i] for column in values)) for i in places
    )


def _cells(measure: Measure, values: Iterable[Value]) -> list[str]:
    say = measure.said
    return [NOT_KNOWN if value is None else say(value) for value in values]
