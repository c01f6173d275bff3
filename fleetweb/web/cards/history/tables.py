"""The same figures as the charts', to be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .bands import BandsCard
from .book import Book, Line
from .measures import Measure, Value, columns
from .times import Wall

NOT_KNOWN = "–"


@dataclass(frozen=True, slots=True)
class RowCard:
    at: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableCard:
    """`blank` is how many points are left out, because nothing is known of them at all."""

    id: str
    name: str
    heads: tuple[str, ...]
    rows: tuple[RowCard, ...]
    blank: int


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


def tables(book: Book, bands: BandsCard, wall: Wall) -> tuple[TableCard, ...]:
    return tuple(
        _table(book, line, place, did_by(book, bands, line), wall)
        for place, line in enumerate(book.lines)
    )


def _table(book: Book, line: Line, place: int, did: Sequence[str], wall: Wall) -> TableCard:
    kept = columns([line])
    values = [_cells(m, m.values(line)) for m in kept]
    samples = [bool(reading.samples) for reading in line.readings] or [False] * len(line.points)
    rows = []
    for i, point in enumerate(line.points):
        if point.count or samples[i] or (did and did[i]):
            cells = [column[i] for column in values]
            cells += [did[i] or NOT_KNOWN] if did else []
            rows.append(RowCard(wall.slot(book.grid[i]), tuple(cells)))
    heads = (*(m.head for m in kept), *(("What it did",) if did else ()))
    blank = len(line.points) - len(rows)
    return TableCard(f"table-{place}", line.name, heads, tuple(rows), blank)


def did_by(book: Book, bands: BandsCard, line: Line) -> tuple[str, ...]:
    if not line.readings:
        return ()
    return bands.did[book.machines.index(line.name)]


def _cells(measure: Measure, values: Iterable[Value]) -> list[str]:
    say = measure.said
    return [NOT_KNOWN if value is None else say(value) for value in values]
