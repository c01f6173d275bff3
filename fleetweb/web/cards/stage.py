"""Where machines stand, and the lines between those that share a model.

Everything is known beforehand: columns are equal parts of the width, rows are as high as the style
sheet's `--rows`, so lines meet their machines at any width without anybody measuring.
Units: x in per cent of the stage, y in rem.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fleetweb.core.presence import CognitiveState, NodePresence
from fleetweb.core.roster import Role

from .figures import svg
from .looks import LOOKS, Tone

# These are in static/css/stage.css as well.
THRONE = 15.0
GAP = 3.0
_CROWD = 8


@dataclass(frozen=True, slots=True)
class Line:
    """`mood` is `rest`, `work`, `doubt` or `hurt`; a line moves only while it works."""

    path: str
    mood: str


@dataclass(frozen=True, slots=True)
class StageCard:
    columns: int
    crowded: bool
    throne: bool
    height: str
    lines: tuple[Line, ...]


def king(nodes: Sequence[NodePresence]) -> str | None:
    """Who stands large in the middle: the king, or a machine that is alone."""
    if len(nodes) == 1:
        return nodes[0].name
    return next((node.name for node in nodes if node.role is Role.KING), None)


def columns(machines: int) -> int:
    """How many stand side by side: as many as there are up to five, then rows as even as can be."""
    for most, side_by_side in ((5, machines), (6, 3), (8, 4), (15, 5)):
        if machines <= most:
            return max(1, side_by_side)
    return 6


@dataclass(frozen=True, slots=True)
class _Size:
    """How large a machine of the rows is drawn: its whole height, and the orb at its top."""

    row: float
    orb: float


_ROOMY = _Size(row=25.0, orb=8.0)
_NARROW = _Size(row=26.5, orb=8.0)
_CROWDED = _Size(row=24.0, orb=5.5)


def _size(machines: int) -> _Size:
    if machines > _CROWD:
        return _CROWDED
    return _ROOMY if columns(machines) <= 3 else _NARROW


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float
    top: float
    row: int
    half: float  # half a column


def stage(nodes: Sequence[NodePresence]) -> StageCard:
    first = king(nodes)
    others = [node.name for node in nodes if node.name != first]
    places = _places(first, others)
    side_by_side = columns(len(others))
    rows = -(-len(others) // side_by_side)
    height = (THRONE if first else 0) + rows * (GAP + _size(len(others)).row)
    return StageCard(
        columns=side_by_side,
        crowded=len(others) > _CROWD,
        throne=first is not None,
        height=svg(height),
        lines=tuple(
            Line(_path(places[a], places[b]), mood)
            for (a, b), mood in _ties(nodes, first).items()
            if a in places and b in places
        ),
    )


def _places(first: str | None, others: Sequence[str]) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    below = 0.0
    if first is not None:
        places[first] = _Place(50, THRONE / 2, 0, 0, 50)
        below = THRONE
    side_by_side = columns(len(others))
    size = _size(len(others))
    for index, name in enumerate(others):
        row, column = divmod(index, side_by_side)
        in_row = min(side_by_side, len(others) - row * side_by_side)
        half = 50 / side_by_side
        x = 50 + half * (2 * column - in_row + 1)
        top = below + row * (GAP + size.row)
        places[name] = _Place(x, top + GAP + size.orb / 2, top, row + 1, half)
    return places


def _ties(nodes: Sequence[NodePresence], first: str | None) -> dict[tuple[str, str], str]:
    """Which pairs are joined, and how they do. One line for a pair, however much it shares."""
    states = {node.name: node.load.state for node in nodes}
    ties: dict[tuple[str, str], str] = {}
    for members, at_work in _instances(nodes).values():
        mood = _mood([states[name] for name in members], at_work)
        for pair in _pairs(members, first):
            ties[pair] = max(ties.get(pair, mood), mood, key=_MOODS.index)
    return ties


def _pairs(members: Sequence[str], first: str | None) -> Iterable[tuple[str, str]]:
    """From the one in the middle to all others; without that one, from each to the next."""
    if first is not None and first in members:
        return [(first, name) for name in members if name != first]
    return pairwise(members)


_MOODS = ("rest", "work", "doubt", "hurt")


def _instances(nodes: Iterable[NodePresence]) -> dict[str, tuple[list[str], bool]]:
    found: dict[str, tuple[list[str], bool]] = {}
    order = [node.name for node in nodes]
    for node in nodes:
        for share in node.shares:
            members = {node.name, *share.companions} & set(order)
            _, at_work = found.get(share.instance_id, ([], False))
            named = sorted(members, key=order.index)
            found[share.instance_id] = (named, at_work or share.at_work)
    return {key: value for key, value in found.items() if len(value[0]) > 1}


def _mood(states: Sequence[CognitiveState], at_work: bool) -> str:
    tones = {LOOKS[state].tone for state in states}
    if tones & {Tone.HURT, Tone.AWAY}:
        return "hurt"
    if not at_work:
        return "rest"
    return "doubt" if Tone.DOUBT in tones else "work"


def _path(a: _Place, b: _Place) -> str:
    """From one orb to another, keeping to the empty bands between rows and columns."""
    if a.row == 0 and b.row <= 1:
        leave, arrive = svg(THRONE + 1.5), svg(THRONE - 0.5)
        return (
            f"M{svg(a.x)} {svg(a.y)}C{svg(a.x)} {leave} {svg(b.x)} {arrive} {svg(b.x)} {svg(b.y)}"
        )
    if a.row == b.row:
        top = svg(a.top + 0.3)
        return f"M{svg(a.x)} {svg(a.y)}C{svg(a.x)} {top} {svg(b.x)} {top} {svg(b.x)} {svg(b.y)}"
    return _detour(a, b)


def _detour(a: _Place, b: _Place) -> str:
    """Down the gutter beside the column of `b`, then over it.

    The rows in between are full. A last one that is not stands in the middle: there `b` may be
    below a gutter itself.
    """
    gutter = b.x
    if not _is_gutter(b):
        gutter += -b.half if b.x > a.x else b.half
    band = THRONE + GAP / 2 if a.row == 0 else a.top + GAP / 2
    over = b.top + GAP / 2
    turns = ((a.x, a.y), (a.x, band), (gutter, band), (gutter, over), (b.x, over), (b.x, b.y))
    return "M" + "L".join(f"{svg(x)} {svg(y)}" for x, y in turns)


def _is_gutter(place: _Place) -> bool:
    """Whether columns of a full row meet above it."""
    return round(place.x / place.half) % 2 == 0
