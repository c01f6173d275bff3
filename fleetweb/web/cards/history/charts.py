"""The charts: what each shows, and the figures its script draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .asking import By, Percentile
from .bands import BandsCard
from .book import Book, Line
from .marks import Mark
from .measures import (
    ERRORS,
    LATENCY,
    OF_MACHINES,
    REQUESTS,
    TOKENS,
    TTFT,
    Kind,
    Measure,
    Value,
)
from .times import Wall

# Lines are told apart by their dashes as well as by their colour, in the order of the legend.
DASHES: Final = ("", "7 4", "2 3", "10 3 2 3", "14 4", "4 2 1 2")


@dataclass(frozen=True, slots=True)
class LineCard:
    """`hue` is 1..6; `dash` as in SVG's stroke-dasharray; `total` over the whole time."""

    label: str
    hue: int
    dash: str
    total: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ChartCard:
    """`note` says what the figure is of, where that is not plain."""

    key: str
    title: str
    kind: Kind
    note: str
    lines: tuple[LineCard, ...]

    @property
    def is_known(self) -> bool:
        """Whether there is anything to draw."""
        return any(value is not None for line in self.lines for value in line.values)


def charts(book: Book) -> tuple[ChartCard, ...]:
    found = [*_of_requests(book)]
    if book.asked.by is By.MACHINE:
        found += [_chart(m.key, m.title, m, book.lines, _NOTES.get(m.key, "")) for m in OF_MACHINES]
    return tuple(found)


_NOTES: Final = {
    "temperature": "the highest it was",
    "requests": "asked in that time",
    "errors": "failed or interrupted",
    "tokens_per_s": "of the median answer",
}


def _of_requests(book: Book) -> Iterator[ChartCard]:
    if book.shows_percentiles:
        for key, title, kept in (
            ("latency", "Latency", LATENCY),
            ("ttft", "Time to first token", TTFT),
        ):
            lines = [
                _line(m, line, i, p) for line in book.lines for i, (p, m) in enumerate(kept.items())
            ]
            yield ChartCard(key, title, Kind.MS, "", tuple(lines))
    else:
        chosen = book.asked.percentile
        first = TTFT[Percentile.P50 if chosen is Percentile.P50 else Percentile.P95]
        yield _chart("latency", "Latency", LATENCY[chosen], book.lines, chosen.value)
        yield _chart("ttft", first.title, first, book.lines, first.key.rpartition("_")[2])
    for measure in (TOKENS, REQUESTS, ERRORS):
        note = _NOTES.get(measure.key, "")
        yield _chart(measure.key, measure.title, measure, book.lines, note)


def _chart(key: str, title: str, measure: Measure, lines: Sequence[Line], note: str) -> ChartCard:
    drawn = tuple(_line(measure, line, i, line.name) for i, line in enumerate(lines))
    return ChartCard(key, title, measure.kind, note, drawn)


def _line(measure: Measure, line: Line, place: int, label: str) -> LineCard:
    return LineCard(
        label=label,
        hue=place % len(DASHES) + 1,
        dash=DASHES[place % len(DASHES)],
        total=measure.said(measure.total(line)),
        values=measure.values(line),
    )


def drawing(
    book: Book,
    cards: Sequence[ChartCard],
    bands: BandsCard,
    marks: Sequence[Mark],
    wall: Wall,
    zone: str,
) -> dict[str, Any]:
    """What the charts' script needs, as JSON."""
    return {
        "zone": zone,
        "since": book.window.since.timestamp(),
        "until": book.window.until.timestamp(),
        "live": book.window.is_live,
        "at": list(book.grid[:-1]),
        "slots": [wall.span(a, b) for a, b in zip(book.grid, book.grid[1:], strict=False)],
        "charts": [
            {
                "key": card.key,
                "kind": card.kind.value,
                "lines": [
                    {
                        "hue": line.hue,
                        "dash": [int(n) for n in line.dash.split()],
                        "total": line.total,
                        "values": line.values,
                    }
                    for line in card.lines
                ],
            }
            for card in cards
        ],
        "did": [
            {"name": name, "told": list(row)}
            for name, row in zip(book.machines, bands.did, strict=True)
        ],
        "marks": [{"at": mark.at.timestamp(), "tone": mark.tone} for mark in marks],
    }
