"""The same figures as the charts', to be taken along."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fleetweb.core.buckets import at_of

from .bands import told_of
from .book import Book
from .measures import Kind, Measure, columns

Row = tuple[Any, ...]


def records(book: Book, now: datetime) -> Iterator[dict[str, Any]]:
    """Every figure that is shown, one row for each line and point, oldest first."""
    names = _names(book)
    return (dict(zip(names, row, strict=True)) for row in _rows(book, now))


def as_csv(book: Book, now: datetime) -> str:
    """The same as a file. What is unknown is an empty cell."""
    written = io.StringIO()
    if book.lines:
        writer = csv.writer(written)
        writer.writerow(_names(book))
        writer.writerows(_rows(book, now))
    return written.getvalue()


def _names(book: Book) -> list[str]:
    figures = [column_name(measure) for measure in columns(book.lines)]
    return [book.asked.by.value, "from", "to", *figures, *(["did"] if _are_machines(book) else [])]


def _rows(book: Book, now: datetime) -> Iterator[Row]:
    kept = columns(book.lines)
    times = [at_of(second).astimezone(now.tzinfo).isoformat() for second in book.grid]
    for line in book.lines:
        unknown = (None,) * len(line.points)
        figures = [measure.values(line) or unknown for measure in kept]
        did = [told_of(book, line.name, now)] if _are_machines(book) else []
        names = [line.name] * len(line.points)
        yield from zip(names, times[:-1], times[1:], *figures, *did, strict=True)


def _are_machines(book: Book) -> bool:
    """Whether there is something to tell of what they did."""
    return any(line.readings for line in book.lines)


def column_name(measure: Measure) -> str:
    """A measure with its unit in its name, as programs read it."""
    return f"{measure.key}{_UNITS.get(measure.kind, '')}"


_UNITS = {Kind.MS: "_ms", Kind.GIGABYTES: "_gb", Kind.DEGREES: "_c", Kind.WATTS: "_w"}
