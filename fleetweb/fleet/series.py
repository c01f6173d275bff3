"""Looking back at the machines: their figures, what they did when, and what befell them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any, Final

import msgspec
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from fleetweb.core.buckets import Step, at_of, starts, step_for
from fleetweb.core.presence import CognitiveState, Span

from . import settled
from .models import NodeRollup, PresenceSpan
from .past import latest_at
from .sample_rollups import FIGURES, Kept, together

MOST_ROWS: Final = 3000
MOST_SPANS: Final = 800
MOST_AWAY: Final = 2000
MOST_MARKERS: Final = 200
# Between two moments of loading a model a machine may do other things: it is one load.
ONE_LOAD: Final = timedelta(minutes=10)


# As text, and read by msgspec: Django's own reading of JSON takes ten times as long.
_AS_TEXT: Final = (Cast("states", TextField()), Cast("figures", TextField()))
_STATES: Final = msgspec.json.Decoder(dict[CognitiveState, int])
_FIGURES: Final = msgspec.json.Decoder(list[tuple[float, float, float] | None])

# Samples, states and figures.
_Row = tuple[int, str, str]
_INTENSITY, _TEMPERATURE = map(FIGURES.index, ("intensity", "temperature_c"))


@dataclass(frozen=True, slots=True)
class Reading:
    """A machine's figures over one stretch of time from `at` on: means of what was seen.

    Figures are told to a thousandth; None is what nobody knows: no samples, or none that had the
    figure. `states` is the share of the samples in each state, and adds up to 1 where there are
    any. The means are in the order of `FIGURES`.
    """

    at: datetime
    samples: int = 0
    intensity: float | None = None
    requests_in_hand: float | None = None
    memory_used_bytes: float | None = None
    memory_total_bytes: float | None = None
    gpu_usage: float | None = None
    cpu_usage: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    intensity_max: float | None = None
    temperature_max_c: float | None = None
    states: dict[CognitiveState, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bands:
    """Spans of several machines, oldest first.

    Where there are more than 800, `are_all` is False: then they are those offline, the newest 2000.
    """

    spans: tuple[Span, ...]
    are_all: bool


class Happening(StrEnum):
    """What is marked on a chart."""

    LOST = "lost"  # offline
    QUIET = "quiet"
    BACK = "back"
    STUMBLED = "stumbled"
    PLACED = "placed"  # a model is being loaded here


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that befell a machine. `sentence` is what it said then."""

    at: datetime
    node: str
    happening: Happening
    sentence: str


@dataclass(frozen=True, slots=True)
class Markers:
    """Oldest first. Where there were more before, `since` is when the first of these is."""

    all: tuple[Marker, ...]
    since: datetime | None = None


_AWAY: Final = frozenset({CognitiveState.OFFLINE, CognitiveState.QUIET})
_MARKS: Final = {
    CognitiveState.OFFLINE: Happening.LOST,
    CognitiveState.QUIET: Happening.QUIET,
    CognitiveState.STUMBLED: Happening.STUMBLED,
    CognitiveState.WAKING: Happening.PLACED,
}


def readings(
    machines: Mapping[int, str], since: datetime, until: datetime, step: Step | None = None
) -> dict[str, tuple[Reading, ...]]:
    """What each machine's samples said from `since` to `until`, without a gap, in a query or two.

    `machines` are their names by the keys of their rows. Of what has long been over it may be what
    was so a while ago (`settled`).
    """
    step = step or step_for(since, until, most_rows=MOST_ROWS, series=max(1, len(machines)))
    grid = starts(since, until, step, timezone.get_default_timezone())
    read = partial(_readings, list(machines), step)
    parts = _settled.parts(tuple(machines), grid, step, read)
    return {
        name: tuple(chain.from_iterable(part[key] for part in parts))
        for key, name in machines.items()
    }


_settled: Final = settled.Memory[dict[int, tuple[Reading, ...]]]()


def _readings(
    keys: Sequence[int], step: Step, begins_s: int, ends_s: int, grid: Sequence[int]
) -> dict[int, tuple[Reading, ...]]:
    rows = (
        NodeRollup.objects.between(begins_s, ends_s)
        .filter(node__in=keys, resolution=step.source)
        .values_list("node", "start_s", "samples", *_AS_TEXT)
    )
    place_of = cache(partial(step.place, grid=grid))
    found: defaultdict[tuple[int, int], list[_Row]] = defaultdict(list)
    for key, kept_s, *row in rows:
        found[key, place_of(kept_s)].append(tuple(row))
    return {
        key: tuple(
            _reading(begins_s, tuple(found.get((key, place), ())))
            for place, begins_s in enumerate(grid[:-1])
        )
        for key in keys
    }


def bands(machines: Mapping[int, str], since: datetime, until: datetime) -> Bands:
    """What each machine did when, in three queries; `machines` are names by keys.

    Spans that reach over the edges are given whole. For a longer past take `readings`, whose
    `states` say the same in shares.
    """
    inside = PresenceSpan.objects.filter(
        node__in=list(machines), started_at__gt=since, started_at__lt=until
    )
    before = latest_at(since).since(since).filter(node__in=list(machines))
    # To look for the eldest that there is room for takes a fifth of picking them by their keys.
    newest = inside.order_by("-started_at").values_list("started_at", flat=True)
    are_all = not newest[MOST_SPANS - 1 : MOST_SPANS]
    if not are_all:
        away = inside.filter(state=CognitiveState.OFFLINE.value)
        inside = away.order_by("-started_at")[:MOST_AWAY]
    wanted = ("node", "state", "started_at", "ended_at")
    rows = (row for spans in (before, inside) for row in spans.values_list(*wanted))
    found = [
        Span(machines[key], CognitiveState(state), began, ended)
        for key, state, began, ended in rows
    ]
    return Bands(tuple(sorted(found, key=lambda span: span.started_at)), are_all=are_all)


def markers(machines: Mapping[int, str], since: datetime, until: datetime) -> Markers:
    """What befell these machines from `since` to `until`: the newest 200 and their ends.

    `machines` are names by keys. A model that is being loaded is one of them, whatever the machine
    does in between.
    """
    rows = list(
        PresenceSpan.objects.filter(
            node__in=list(machines),
            started_at__gte=since,
            started_at__lt=until,
            state__in=[state.value for state in _MARKS],
        )
        .order_by("-started_at")
        .values_list("node", "state", "started_at", "ended_at", "sentence")[: MOST_MARKERS + 1]
    )
    newest = rows[:MOST_MARKERS]
    found: list[Marker] = []
    for key, state, started_at, ended_at, sentence in _without_going_on(reversed(newest)):
        word = CognitiveState(state)
        found.append(Marker(started_at, machines[key], _MARKS[word], sentence))
        if word in _AWAY and ended_at and ended_at < until:
            found.append(Marker(ended_at, machines[key], Happening.BACK, ""))
    in_order = sorted(found, key=lambda mark: (mark.at, mark.happening is not Happening.BACK))
    return Markers(tuple(in_order), newest[-1][2] if len(rows) > MOST_MARKERS else None)


_Marked = tuple[int, str, datetime, datetime | None, str]


def _without_going_on(rows: Iterable[_Marked]) -> Iterator[_Marked]:
    """Of these, oldest first, all but those in which a model goes on being loaded."""
    loading: dict[int, tuple[str, datetime | None]] = {}
    for row in rows:
        key, state, started_at, ended_at, sentence = row
        model = sentence.rpartition(": ")[0] if state == CognitiveState.WAKING.value else ""
        known, until = loading.get(key, ("", None))
        loading[key] = (model, ended_at)
        if not (model and model == known and until and started_at - until <= ONE_LOAD):
            yield row


@lru_cache(maxsize=8192)
def _reading(begins_s: int, rows: tuple[_Row, ...]) -> Reading:
    """What is past does not change: it is read once."""
    if not rows:
        return Reading(at_of(begins_s))
    parts = [
        Kept(n, _STATES.decode(states), _FIGURES.decode(figures)) for n, states, figures in rows
    ]
    kept = parts[0] if len(parts) == 1 else together(parts)
    figures = [*kept.figures, *[None] * (len(FIGURES) - len(kept.figures))]
    in_order: tuple[Any, ...] = (
        *(round(figure[1] / figure[0], 3) if figure else None for figure in figures),
        _greatest(figures[_INTENSITY]),
        _greatest(figures[_TEMPERATURE]),
        {state: count / kept.samples for state, count in kept.states.items()},
    )
    return Reading(at_of(begins_s), kept.samples, *in_order)


def _greatest(figure: Sequence[float] | None) -> float | None:
    return round(figure[2], 3) if figure else None
