"""What every machine did, as a band under the charts and in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fleetweb.core import words
from fleetweb.core.presence import NEEDS_OWNER, CognitiveState, Span

from ..figures import svg
from ..looks import LOOKS, Look
from .book import Book
from .times import Wall

HEIGHT: Final = 12.0
# How far below each other the bands lie where they are drawn together, without names.
STRIP: Final = 16
# Bands are drawn from the spans themselves while they can be told apart on a screen.
MOST_DRAWN: Final = 1200
# Trouble is worth a mark however short it was, and must be seen: never lower than this.
LOWEST: Final = 4.0

Shares = dict[CognitiveState, float]


@dataclass(frozen=True, slots=True)
class CellCard:
    """A piece of a band; `x` and `width` are seconds of the time shown."""

    state: CognitiveState
    tone: str
    x: str
    width: str
    y: str
    height: str
    told: str


@dataclass(frozen=True, slots=True)
class BandCard:
    name: str
    cells: tuple[CellCard, ...]
    words: str
    offset: int


@dataclass(frozen=True, slots=True)
class BandsCard:
    """`width` is the time shown in seconds; `did` tells of each machine at each point."""

    width: str
    bands: tuple[BandCard, ...]
    looks: tuple[Look, ...]
    did: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Did:
    """One machine in one state from `begins_s` to `ends_s`, for `share` of that time."""

    state: CognitiveState
    begins_s: float
    ends_s: float
    share: float = 1.0

    @property
    def lasted_s(self) -> float:
        return (self.ends_s - self.begins_s) * self.share


def bands(book: Book, wall: Wall, now: datetime) -> BandsCard:
    since_s = book.window.since.timestamp()
    until_s = min(book.window.until, now).timestamp()
    rows = {name: _row(book, name, since_s, until_s) for name in book.machines}
    seen = {did.state for row in rows.values() for did in row}
    drawn = tuple(
        BandCard(
            name,
            tuple(_cell(did, since_s, wall) for did in _merged(row)),
            _said(row),
            offset=STRIP * place,
        )
        for place, (name, row) in enumerate(rows.items())
    )
    return BandsCard(
        width=svg(book.window.until.timestamp() - since_s),
        bands=drawn,
        looks=tuple(LOOKS[state] for state in CognitiveState if state in seen),
        did=tuple(told_by_slot(shares_by_slot(book, name, now)) for name in book.machines),
    )


def shares_by_slot(book: Book, name: str, now: datetime) -> tuple[Shares, ...]:
    """For how much of each point's time a machine was in which state. Empty where nobody knows."""
    spans = [span for span in book.spans if span.node == name]
    if not book.spans_are_all:
        sampled = [reading.states for reading in book.presence[name]]
        away = _shares([s for s in spans if s.state is CognitiveState.OFFLINE], book.grid, now)
        return tuple(states or gone for states, gone in zip(sampled, away, strict=True))
    return tuple(_shares(spans, book.grid, now))


def told_by_slot(slots: Sequence[Shares]) -> tuple[str, ...]:
    return tuple(told(shares) for shares in slots)


def told(shares: Shares) -> str:
    """`processing 70 %, gone quiet 7 %`: most first, and trouble however little it was."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    worth = [(s, part) for s, part in ranked if part >= 0.05 or s in NEEDS_OWNER]
    if len(worth) == 1 and worth[0][1] > 0.995:
        return LOOKS[worth[0][0]].word.lower()
    return ", ".join(f"{LOOKS[s].word.lower()} {_percent(part)}" for s, part in worth)


def _percent(part: float) -> str:
    return "under 1 %" if part < 0.01 else f"{100 * part:.0f} %"


def _row(book: Book, name: str, since_s: float, until_s: float) -> list[Did]:
    spans = [span for span in book.spans if span.node == name]
    if book.spans_are_all and len(book.spans) <= MOST_DRAWN:
        row = [
            Did(
                span.state,
                max(since_s, span.started_at.timestamp()),
                min(until_s, span.ended_at.timestamp() if span.ended_at else until_s),
            )
            for span in spans
        ]
        return [did for did in row if did.ends_s > did.begins_s]
    return list(_sampled(book, name, since_s, until_s))


def _sampled(book: Book, name: str, since_s: float, until_s: float) -> Iterable[Did]:
    """What it did most at each point, and every trouble it had there."""
    now = book.window.until
    for place, shares in enumerate(shares_by_slot(book, name, now)):
        begins_s = max(since_s, book.grid[place])
        ends_s = min(until_s, book.grid[place + 1])
        if not shares or ends_s <= begins_s:
            continue
        most = max(shares, key=lambda state: shares[state])
        yield Did(most, begins_s, ends_s, shares[most])
        for state, share in shares.items():
            if state in NEEDS_OWNER and state is not most and share > 0:
                yield Did(state, begins_s, ends_s, share)


def _shares(spans: Iterable[Span], grid: Sequence[int], now: datetime) -> list[Shares]:
    """For each point the share of it that spans cover, by state."""
    found: list[Shares] = [{} for _ in grid[:-1]]
    place = 0
    for span in spans:
        begins_s = span.started_at.timestamp()
        ends_s = (span.ended_at or now).timestamp()
        while place > 0 and grid[place] > begins_s:
            place -= 1
        while place < len(found) and grid[place + 1] <= begins_s:
            place += 1
        there = place
        while there < len(found) and grid[there] < ends_s:
            lasted = min(ends_s, grid[there + 1]) - max(begins_s, grid[there])
            if lasted > 0:
                share = lasted / (grid[there + 1] - grid[there])
                found[there][span.state] = found[there].get(span.state, 0.0) + share
            there += 1
        place = min(place, len(found) - 1)
    return found


def _merged(row: Iterable[Did]) -> list[Did]:
    """Neighbours that look alike as one."""
    merged: list[Did] = []
    for did in row:
        last = merged[-1] if merged else None
        if last and (last.state, last.share, last.ends_s) == (did.state, did.share, did.begins_s):
            merged[-1] = Did(did.state, last.begins_s, did.ends_s, did.share)
        else:
            merged.append(did)
    return merged


def _cell(did: Did, since_s: float, wall: Wall) -> CellCard:
    look = LOOKS[did.state]
    is_part = did.share < 0.995 and did.state in NEEDS_OWNER
    height = max(LOWEST, HEIGHT * did.share) if is_part else HEIGHT
    lasted = f"for {words.duration(did.lasted_s)}"
    return CellCard(
        state=did.state,
        tone=look.tone.value,
        x=svg(did.begins_s - since_s),
        width=svg(did.ends_s - did.begins_s),
        y=svg(HEIGHT - height),
        height=svg(height),
        told=f"{look.word} {lasted}, {wall.span(did.begins_s, did.ends_s)}",
    )


def _said(row: Sequence[Did]) -> str:
    """The whole band in a sentence: how long it was in which state."""
    if not row:
        return "Nothing is known of this time."
    lasted: dict[CognitiveState, float] = {}
    for did in row:
        lasted[did.state] = lasted.get(did.state, 0.0) + did.lasted_s
    ranked = sorted(lasted.items(), key=lambda item: -item[1])
    told = [f"{LOOKS[state].word.lower()} {words.duration(s)}" for state, s in ranked]
    return f"{', '.join(told)}.".capitalize()
