"""The same figures as the charts', to be taken along."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from fleetweb.core.buckets import at_of

from .bands import told, what_they_did
from .book import Book
from .measures import Kind, Measure, Value, columns


def records(book: Book, now: datetime) -> Iterator[dict[str, Any]]:
    """Every figure that is shown, one row for each line and point, oldest first."""
    kept, states = columns(book.lines), what_they_did(book, now)
    zone = now.tzinfo
    for line in book.lines:
        did = [told(shares) for shares in states[line.name]] if line.readings else []
        values = [measure.values(line) or (None,) * len(line.points) for measure in kept]
        for place, begins_s in enumerate(book.grid[:-1]):
            yield {
                book.asked.by.value: line.name,
                "from": at_of(begins_s).astimezone(zone).isoformat(),
                "to": at_of(book.grid[place + 1]).astimezone(zone).isoformat(),
                **{
                    column_name(m): _rounded(own[place])
                    for m, own in zip(kept, values, strict=True)
                },
                **({"did": did[place]} if did else {}),
            }


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """What is unknown is an empty cell."""
    written = io.StringIO()
    if rows:
        writer = csv.DictWriter(written, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return written.getvalue()


def column_name(measure: Measure) -> str:
    """A measure with its unit in its name, as programs read it."""
    return f"{measure.key}{_UNITS.get(measure.kind, '')}"


_UNITS = {Kind.MS: "_ms", Kind.GIGABYTES: "_gb", Kind.DEGREES: "_c", Kind.WATTS: "_w"}


def _rounded(value: Value) -> Value:
    return None if value is None else round(value, 3)
