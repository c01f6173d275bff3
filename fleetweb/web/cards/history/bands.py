"""What every machine did, as a band under the charts and in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

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
MOST_DRAWN: Final = 800
MOST_TOLD: Final = 8192
# Trouble is worth a mark however short it was, and must be seen: never lower than this.
LOWEST: Final = 4.0

Shares = dict[CognitiveState, float]
# By machine, for every point of the grid.
Did = Mapping[str, Sequence[Shares]]


@dataclass(frozen=True, slots=True)
class CellCard:
    """A piece of a band; `x` and `width` are seconds, counted from the first point of the grid."""

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
    """`width` is the time shown, `shift` how far cells are to be moved for it; both in seconds.

    `did` tells of each machine at each point.
    """

    width: str
    shift: str
    bands: tuple[BandCard, ...]
    looks: tuple[Look, ...]
    did: tuple[tuple[str, ...], ...]


class Piece(NamedTuple):
    """One machine in one state from `begins_s` to `ends_s`, for `share` of that time."""

    state: CognitiveState
    begins_s: float
    ends_s: float
    share: float = 1.0

    @property
    def lasted_s(self) -> float:
        return (self.ends_s - self.begins_s) * self.share


def bands(book: Book, did: Did, wall: Wall, now: datetime) -> BandsCard:
    since_s, first_s = book.window.since.timestamp(), book.grid[0]
    until_s = min(book.window.until, now).timestamp()
    rows = {name: _row(book, name, did[name], since_s, until_s) for name in book.machines}
    seen = {piece.state for row in rows.values() for piece in row}
    drawn = tuple(
        BandCard(
            name,
            tuple(_cell(piece, first_s, wall) for piece in _merged(row)),
            _said(_lasted(did[name], book.grid)),
            offset=STRIP * place,
        )
        for place, (name, row) in enumerate(rows.items())
    )
    return BandsCard(
        width=svg(book.window.until.timestamp() - since_s),
        shift=svg(first_s - since_s),
        bands=drawn,
        looks=tuple(LOOKS[state] for state in CognitiveState if state in seen),
        did=tuple(tuple(map(told, did[name])) for name in book.machines),
    )


def what_they_did(book: Book, now: datetime) -> Did:
    """For how much of each point's time each machine was in which state."""
    return {name: _shares_of(book, name, now) for name in book.machines}


def _shares_of(book: Book, name: str, now: datetime) -> tuple[Shares, ...]:
    """Empty where nobody knows."""
    spans = [span for span in book.spans if span.node == name]
    if book.spans_are_all:
        return tuple(_shares(spans, book.grid, now))
    away = [span for span in spans if span.state is CognitiveState.OFFLINE]
    # Samples have seen what has passed of the last point, and not all of it.
    passed = (*book.grid[:-1], min(book.grid[-1], int(now.timestamp())))
    sampled = [reading.states for reading in book.presence[name]]
    return tuple(map(_with_away, sampled, _shares(away, passed, now)))


def _with_away(seen: Shares, away: Shares) -> Shares:
    """A machine that is offline is in no sample: the others are of the rest of the time."""
    gone = min(1.0, away.get(CognitiveState.OFFLINE, 0.0))
    if not seen or not gone:
        return seen or away
    rest = {state: share * (1 - gone) for state, share in seen.items() if gone < 1}
    return {**rest, CognitiveState.OFFLINE: gone}


def told_of(book: Book, name: str, now: datetime) -> tuple[str, ...]:
    """What a machine did at each point, in words; empty where it is none of the machines."""
    return tuple(map(told, _shares_of(book, name, now))) if name in book.machines else ()


def told(shares: Shares) -> str:
    """`processing 70 %, gone quiet 7 %`: most first, and trouble however little it was."""
    return _told(tuple(shares.items()))


@lru_cache(maxsize=MOST_TOLD)
def _told(shares: tuple[tuple[CognitiveState, float], ...]) -> str:
    """What is past does not change: it is put into words once."""
    ranked = sorted(shares, key=lambda item: -item[1])
    worth = [(s, part) for s, part in ranked if part >= 0.05 or s in NEEDS_OWNER]
    if len(worth) == 1 and worth[0][1] > 0.995:
        return LOOKS[worth[0][0]].word.lower()
    return ", ".join(f"{LOOKS[s].word.lower()} {_percent(part)}" for s, part in worth)


def _percent(part: float) -> str:
    return "under 1 %" if part < 0.01 else f"{100 * part:.0f} %"


def _row(
    book: Book, name: str, slots: Sequence[Shares], since_s: float, until_s: float
) -> list[Piece]:
    spans = [span for span in book.spans if span.node == name]
    if book.spans_are_all and len(book.spans) <= MOST_DRAWN:
        row = [
            Piece(
                span.state,
                max(since_s, span.started_at.timestamp()),
                min(until_s, span.ended_at.timestamp() if span.ended_at else until_s),
            )
            for span in spans
        ]
        return [piece for piece in row if piece.ends_s > piece.begins_s]
    return list(_by_slot(book, slots, since_s, until_s))


def _by_slot(
    book: Book, slots: Sequence[Shares], since_s: float, until_s: float
) -> Iterator[Piece]:
    """What it did most at each point, and every trouble it had there."""
    for place, shares in enumerate(slots):
        begins_s = max(since_s, book.grid[place])
        ends_s = min(until_s, book.grid[place + 1])
        if not shares or ends_s <= begins_s:
            continue
        most = max(shares, key=lambda state: shares[state])
        yield Piece(most, begins_s, ends_s, shares[most])
        for state, share in shares.items():
            if state in NEEDS_OWNER and state is not most and share > 0:
                yield Piece(state, begins_s, ends_s, share)


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


def _merged(row: Iterable[Piece]) -> list[Piece]:
    """Neighbours that look alike as one."""
    merged: list[Piece] = []
    for piece in row:
        last = merged[-1] if merged else None
        if last and (last.state, last.share, last.ends_s) == (
            piece.state,
            piece.share,
            piece.begins_s,
        ):
            merged[-1] = Piece(piece.state, last.begins_s, piece.ends_s, piece.share)
        else:
            merged.append(piece)
    return merged


@lru_cache(maxsize=MOST_TOLD)
def _cell(piece: Piece, first_s: float, wall: Wall) -> CellCard:
    """What is past does not change: it is drawn and put into words once."""
    look = LOOKS[piece.state]
    is_part = piece.share < 0.995 and piece.state in NEEDS_OWNER
    height = max(LOWEST, HEIGHT * piece.share) if is_part else HEIGHT
    when = wall.span(piece.begins_s, piece.ends_s)
    return CellCard(
        state=piece.state,
        tone=look.tone.value,
        x=svg(piece.begins_s - first_s),
        width=svg(piece.ends_s - piece.begins_s),
        y=svg(HEIGHT - height),
        height=svg(height),
        told=f"{look.word} for {words.duration(piece.lasted_s)}, {when}",
    )


def _said(lasted: Mapping[CognitiveState, float]) -> str:
    """The whole band in a sentence: how long it was in which state."""
    if not lasted:
        return "Nothing is known of this time."
    ranked = sorted(lasted.items(), key=lambda item: -item[1])
    told = [f"{LOOKS[state].word.lower()} {words.duration(s)}" for state, s in ranked]
    return f"{', '.join(told)}.".capitalize()


def _lasted(slots: Sequence[Shares], grid: Sequence[int]) -> dict[CognitiveState, float]:
    """How long it was in each state, in all."""
    lasted: dict[CognitiveState, float] = {}
    for place, shares in enumerate(slots):
        for state, share in shares.items():
            seconds = share * (grid[place + 1] - grid[place])
            lasted[state] = lasted.get(state, 0.0) + seconds
    return lasted
