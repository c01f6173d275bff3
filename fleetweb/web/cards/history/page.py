"""A page of the history, and the pieces of it that change as time goes on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from fleetweb.core.buckets import at_of

from .. import figures
from .asking import Asked, By, Percentile
from .bands import STRIP, BandsCard, bands, told_of, what_they_did
from .book import Book
from .charts import ChartCard, charts, drawing
from .marks import MarkCard, listed, marks
from .records import records
from .standing_out import FindingCard, calm, scope, standing_out
from .tables import TableCard, TotalsCard, table, tables, totals
from .times import book_wall, step_words
from .window import RANGE_WORDS, RANGES, BadWindow, Window, time_of

# How often the right edge is asked for, by how far apart points lie.
_OFTEN_S, _SELDOM_S = 5, 30
# The charts have all marks; the list has room for these, the newest.
MARKS_LISTED: Final = 40


@dataclass(frozen=True, slots=True)
class ChoiceCard:
    label: str
    address: str
    is_chosen: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class PickCard:
    name: str
    is_picked: bool


@dataclass(frozen=True, slots=True)
class BoxCard:
    """A box for a time. What is no time stays in it as it was written."""

    written: str
    is_time: bool


@dataclass(frozen=True, slots=True)
class ControlsCard:
    """Everything that can be chosen. From and to are empty where a range is chosen."""

    ranges: tuple[ChoiceCard, ...]
    sides: tuple[ChoiceCard, ...]
    percentiles: tuple[ChoiceCard, ...]
    picks: tuple[PickCard, ...]
    models: tuple[str, ...]
    model: str
    by: By
    percentile: Percentile
    choice: str
    begin: BoxCard
    end: BoxCard
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryCard:
    node: str | None
    by: By
    is_live: bool
    every_s: int
    span: str
    title: str
    step: str
    zone: str
    address: str
    controls: ControlsCard
    charts: tuple[ChartCard, ...]
    drawing: dict[str, Any]
    bands: BandsCard
    marks: tuple[MarkCard, ...]
    earlier: int
    marked_since: str
    totals: TotalsCard
    tables: tuple[TableCard, ...]
    findings: tuple[FindingCard, ...]
    calm: str
    scope: str
    wider: str
    same_time: str
    strip_height: int


def history(book: Book, now: datetime) -> HistoryCard:
    told = book_wall(book, now)
    zone = told.zone
    did = what_they_did(book, now)
    band_card, chart_cards = bands(book, did, told, now), charts(book)
    found = marks(book)
    is_fine = book.step.seconds <= 300
    return HistoryCard(
        node=book.node,
        by=book.asked.by,
        is_live=book.window.is_live,
        every_s=_OFTEN_S if is_fine else _SELDOM_S,
        span=_span(book, zone, now),
        title=_title(book),
        step=step_words(book.grid, book.step),
        zone=zone.key,
        address=book.asked.address(),
        controls=controls(book, zone),
        charts=chart_cards,
        drawing=drawing(book, chart_cards, band_card, found, told, zone.key),
        bands=band_card,
        marks=listed(found[:MARKS_LISTED], told),
        earlier=max(0, len(found) - MARKS_LISTED),
        marked_since=told.clock(book.marked_since) if book.marked_since else "",
        totals=totals(book),
        tables=tables(book, dict(zip(book.machines, band_card.did, strict=True)), told),
        findings=standing_out(book, did, told, now),
        calm=calm(book),
        scope=scope(book),
        wider=_wider(book, now),
        same_time=replace(book.asked, picked=(), by=By.MACHINE).address(by=""),
        strip_height=STRIP * len(book.machines),
    )


def opened(book: Book, now: datetime) -> TableCard | None:
    """The table that is asked for, alone; None where it is not there."""
    wall = book_wall(book, now)
    for line in book.lines:
        if line.name in book.asked.opened:
            return table(book, line, told_of(book, line.name, now), wall)
    return None


def as_json(book: Book, now: datetime) -> dict[str, Any]:
    """Everything that is shown, for programs."""
    told = book_wall(book, now)
    return {
        "from": book.window.since.astimezone(told.zone).isoformat(),
        "to": book.window.until.astimezone(told.zone).isoformat(),
        "step_s": book.step.seconds,
        "by": book.asked.by.value,
        "rows": list(records(book, now)),
        "events_since": (book.marked_since or book.window.since).astimezone(told.zone).isoformat(),
        "events": [{"at": mark.at.isoformat(), "words": mark.words} for mark in marks(book)],
    }


def controls(book: Book, zone: tzinfo) -> ControlsCard:
    asked = book.asked
    shown = {line.name for line in book.lines}
    sides = [By.MACHINE, By.MODEL] if book.node else list(By)
    return ControlsCard(
        ranges=tuple(
            ChoiceCard(name, asked.address(range=name), name == asked.window.choice, said)
            for name, said in RANGE_WORDS.items()
        ),
        sides=tuple(_side(asked, by, book.node) for by in sides),
        percentiles=()
        if book.shows_percentiles
        else tuple(
            ChoiceCard(p.value, asked.address(p=p.value), p is asked.percentile) for p in Percentile
        ),
        picks=tuple(PickCard(name, name in shown) for name in book.options),
        models=book.models,
        model=asked.model,
        by=asked.by,
        percentile=asked.percentile,
        choice=asked.window.choice or "",
        begin=_box(asked.begin, zone),
        end=_box(asked.end, zone),
        wrong=book.wrong,
    )


def _side(asked: Asked, by: By, node: str | None) -> ChoiceCard:
    label = "All of it" if node and by is By.MACHINE else f"By {by.value}"
    return ChoiceCard(label, asked.address(by=by.value, model=""), by is asked.by)


def _wider(book: Book, now: datetime) -> str:
    """The same with twice the time, around what is shown."""
    half = (book.window.until - book.window.since) / 2
    until = min(now, book.window.until + half)
    window = Window(book.window.since - half, until, None, is_live=until >= now)
    return replace(book.asked, window=window).address()


def _box(written: str, zone: tzinfo) -> BoxCard:
    """As a browser's box for a date and a time wants it, on the owner's wall."""
    if not written:
        return BoxCard("", is_time=True)
    try:
        at = time_of(written, "", zone).astimezone(zone)
    except BadWindow:
        return BoxCard(written, is_time=False)
    return BoxCard(f"{at:%Y-%m-%dT%H:%M}", is_time=True)


def _title(book: Book) -> str:
    choice = book.window.choice
    if choice in RANGES:
        return f"The last {RANGE_WORDS[choice]}"
    return "A time you chose"


def _span(book: Book, zone: ZoneInfo, now: datetime) -> str:
    """All that is counted: from the begin of the first point to the end of the last, or now."""
    edges = at_of(book.grid[0]), min(at_of(book.grid[-1]), now)
    begin, end = (at.astimezone(zone) for at in edges)
    same = begin.date() == end.date()
    last = f"{end:%H:%M}" if same else f"{end:%a %Y-%m-%d %H:%M}"
    shift = (end.utcoffset() or timedelta()) - (begin.utcoffset() or timedelta())
    told = f"{begin:%a %Y-%m-%d %H:%M} to {last}, {zone.key} time"
    return f"{told}{_changed(shift)}"


def _changed(shift: timedelta) -> str:
    """That the clocks were changed in between, where they were."""
    if not shift:
        return ""
    hours = figures.number(abs(shift).total_seconds() / 3600)
    return f"; clocks went {'forward' if shift > timedelta() else 'back'} by {hours} h in between"
