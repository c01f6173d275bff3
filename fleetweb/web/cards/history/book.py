"""Everything that is known of the time somebody asks for, read at one go and as values.

However long the time is and however much happened in it, the number of queries is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from django.db.models import Sum

from fleetweb.core.answering import Answers
from fleetweb.core.buckets import STEPS, Step, starts
from fleetweb.core.happenings import Happening, HappeningKind
from fleetweb.core.presence import Span
from fleetweb.fleet.models import Happened, Node
from fleetweb.fleet.series import Marker, Reading, bands, markers, readings
from fleetweb.gateway.answers import answers
from fleetweb.gateway.models import Rollup, RollupSubject
from fleetweb.gateway.points import Point
from fleetweb.gateway.series import Series, latency_series, step_of
from fleetweb.gateway.subjects import Subject, Subjects

from .asking import MOST_PICKED, Asked, By
from .window import Window

POINTS: Final = 300
MOST_HAPPENED: Final = 100
SCOPES: Final = {
    By.MACHINE: RollupSubject.NODE,
    By.MODEL: RollupSubject.MODEL,
    By.PROVIDER: RollupSubject.PROVIDER,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One of those that stand side by side. `readings` is empty where it is not a machine."""

    name: str
    series: Series
    readings: tuple[Reading, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        return self.series.points


@dataclass(frozen=True, slots=True)
class Book:
    """`node` is the machine it is all about, None where it is about several.

    `grid` has the begin of every point in seconds since 1970, and the end of the last. `options`
    is all there is to pick from, `wrong` what was asked for that is not there. The machines are
    those whose presence is shown, of all that stand in `everybody`; `spans` is not all there is
    where `spans_are_all` is False. Of what happened before `marked_since` not all is here.
    """

    asked: Asked
    node: str | None
    step: Step
    grid: tuple[int, ...]
    lines: tuple[Line, ...]
    options: tuple[str, ...]
    models: tuple[str, ...]
    machines: tuple[str, ...]
    everybody: tuple[str, ...]
    presence: dict[str, tuple[Reading, ...]]
    spans: tuple[Span, ...]
    spans_are_all: bool
    markers: tuple[Marker, ...]
    happened: tuple[Happening, ...]
    marked_since: datetime | None
    served: tuple[Answers, ...]
    never_seen: frozenset[str]
    wrong: tuple[str, ...]

    @property
    def window(self) -> Window:
        return self.asked.window

    @property
    def shows_percentiles(self) -> bool:
        """Whether its lines are the percentiles of one machine, not several of one percentile."""
        return self.node is not None and self.asked.by is By.MACHINE


def book(asked: Asked, now: datetime, node: str | None = None, *, compares: bool = True) -> Book:
    """Read it. `node` is the name of the one machine it is to be about.

    `compares` also reads what every machine answered, which only what stands out is found by.
    """
    window = asked.window
    since, until = window.since, window.until
    known = Subjects.read()
    models = known.names(RollupSubject.MODEL)
    nodes = {row.name: row for row in Node.objects.only("name", "first_seen_at")}
    machines = (node,) if node else tuple(nodes)
    options = _options(asked.by, machines, known)
    picked = tuple(name for name in asked.picked if name in options)
    wrong = [f"There is no {asked.by} “{name}”." for name in asked.picked if name not in options]
    if asked.model and asked.model not in models:
        wrong.append(f"No answer of “{asked.model}” is remembered: all models are shown.")
    model = asked.model if asked.model in models else ""
    shown = picked or _busiest(asked, options, node, known)
    by_machine = replace(asked, by=By.MACHINE)
    present = shown if asked.by is By.MACHINE else _busiest(by_machine, machines, None, known)
    keys = {nodes[name].pk: name for name in present}
    step = _step(window, max(len(shown), len(present)))
    did = bands(keys, since, until)
    presence = readings(keys, since, until, step)
    marked = markers(keys, since, until)
    happened = _happened(window, node)
    return Book(
        asked=asked,
        node=node,
        step=step,
        grid=starts(since, until, step, now.tzinfo or UTC),
        lines=_lines(asked, shown, model, node, step, presence, known),
        options=options,
        models=models,
        machines=present,
        everybody=machines,
        presence=presence,
        spans=did.spans,
        spans_are_all=did.are_all,
        markers=marked.all,
        happened=happened,
        marked_since=_marked_since(marked.since, happened),
        served=_served(model, window, known) if compares else (),
        never_seen=frozenset(
            name for name in present if _is_new(nodes[name].first_seen_at, presence[name])
        ),
        wrong=(*asked.wrong, *wrong),
    )


def _step(window: Window, lines: int) -> Step:
    """The finest that can be read fast and whose points can be told apart on a screen."""
    readable = step_of(window.since, window.until, lines)
    whole_s = (window.until - window.since).total_seconds()
    apart = (s for s in STEPS if s.seconds >= readable.seconds and whole_s <= s.seconds * POINTS)
    return next(apart, STEPS[-1])


def _options(by: By, machines: tuple[str, ...], known: Subjects) -> tuple[str, ...]:
    return machines if by is By.MACHINE else known.names(SCOPES[by])


def _busiest(
    asked: Asked, options: tuple[str, ...], node: str | None, known: Subjects
) -> tuple[str, ...]:
    """Those that had most to do, in the order of `options`; all of them where there is room."""
    if len(options) <= MOST_PICKED and not (node and asked.by is By.MODEL):
        return options
    keys = known.keys
    names = {keys.get(_subject(asked.by, name, "", node)): name for name in options}
    begins_s, ends_s = (int(at.timestamp()) for at in (asked.window.since, asked.window.until))
    rows = Rollup.objects.between(begins_s - 86_400, ends_s)
    rows = rows.filter(subject__in=[key for key in names if key], resolution=86_400)
    counted = rows.values_list("subject").annotate(requests=Sum("count"))
    most = sorted(counted, key=lambda row: (-row[1], names[row[0]]))[:MOST_PICKED]
    shown = {names[key] for key, _ in most}
    return tuple(name for name in options if name in shown)


def _lines(
    asked: Asked,
    shown: Sequence[str],
    model: str,
    node: str | None,
    step: Step,
    presence: dict[str, tuple[Reading, ...]],
    known: Subjects,
) -> tuple[Line, ...]:
    subjects = {name: _subject(asked.by, name, model, node) for name in shown}
    window = asked.window
    series = latency_series([*subjects.values()], window.since, window.until, step, known)
    is_machine = asked.by is By.MACHINE
    return tuple(
        Line(name, series[subject], presence.get(name, ()) if is_machine else ())
        for name, subject in subjects.items()
    )


def _subject(by: By, name: str, model: str, node: str | None) -> Subject:
    if node and by is By.MODEL:
        return Subject(RollupSubject.NODE, node, name)
    return Subject(SCOPES[by], name, model if by is By.MACHINE else "")


def _happened(window: Window, node: str | None) -> tuple[Happening, ...]:
    """What happened to the fleet, and to its machines or the one it is all about."""
    rows = Happened.objects.between(window.since, window.until).order_by("-at")
    if node:
        rows = rows.filter(node__in=("", node))
    return tuple(
        Happening(row.at, HappeningKind(row.kind), row.words, row.node or None)
        for row in rows[:MOST_HAPPENED]
    )


def _marked_since(marked: datetime | None, happened: Sequence[Happening]) -> datetime | None:
    """From where on all that happened is known, where it isn't from the beginning."""
    is_cut = len(happened) == MOST_HAPPENED
    begins = [at for at in (marked, happened[-1].at if is_cut else None) if at]
    return max(begins, default=None)


def _is_new(first_seen_at: datetime | None, seen: Sequence[Reading]) -> bool:
    """Whether a machine that is listed has never been here: it can't have been away."""
    return first_seen_at is None and not any(reading.samples for reading in seen)


def _served(model: str, window: Window, known: Subjects) -> tuple[Answers, ...]:
    pairs = known.pairs(model)
    step = _step(window, len(pairs))
    return answers(pairs, window.since, window.until, step, known)
