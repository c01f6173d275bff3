"""Writing an invented history: rows and rollups at once, as fast as the database takes them."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from django.db import connection, transaction

from fleetweb.core.buckets import Resolution
from fleetweb.core.latency import Histogram
from fleetweb.fleet.absences import A_MINUTE_S, Absence, by_minute

from . import rollups
from .bulk import Table
from .invention import AILS_FOR_S, Inventor, Kind, spread
from .models import RequestMetric, Rollup
from .seeded_routes import ROUTINGS, Routes
from .tally import Subject, Sums, subjects_of, sums_of

AN_HOUR: Final = timedelta(hours=1)
# Of the newest requests only: with its candidates, a decision is larger than all else of a request.
ROUTED: Final = 50_000

_METRICS: Final = Table(RequestMetric)
_ROLLUPS: Final = Table(Rollup, without=("id",))
_ID, _ASKED, _ENDED = (
    [field.name for field in _METRICS.fields].index(name) for name in ("id", "asked_at", "ended_at")
)


class Seeding:
    """Invents `requests` of them, between `until` and so many days before it.

    `clusters` are the names of their machines.
    `beside` says that others are kept already: what they add up to is added up anew at the end.
    """

    def __init__(
        self,
        clusters: Mapping[str, Sequence[str]],
        requests: int,
        days: int,
        until: datetime,
        *,
        seed: int,
        beside: bool = False,
    ) -> None:
        self._beside = beside
        self.until = until.replace(minute=0, second=0, microsecond=0)
        self.since = self.until - timedelta(days=days)
        self._requests, self._hours = requests, days * 24
        self._inventor = Inventor(clusters, seed)
        self._routes = Routes(clusters, seed)
        self._absences: Mapping[int, Sequence[Absence]] = {}
        self._prepared: dict[Kind, _Prepared] = {}
        self._subjects: dict[Subject, int] = {}
        self._written = 0

    def run(self, absences: Iterable[Absence], told: Callable[[datetime, int], None]) -> int:
        """Write it all; `told` hears after each hour how many requests there are so far."""
        ahead_s = self._inventor.longest.total_seconds() + AILS_FOR_S
        self._absences = by_minute(absences, ahead_s)
        counts = spread(self._requests, self.since, self._hours * 60)
        for number in range(self._hours):
            at = self.since + number * AN_HOUR
            with transaction.atomic():
                self._hour(at, [next(counts) for _ in range(60)])
            told(at, self._written)
        self._add_up()
        return self._written

    def _add_up(self) -> None:
        if self._beside:
            deque(rollups.rebuild(self.since, self.until), maxlen=0)
        else:
            rollups.add_up_days(self.since, self.until)

    def _hour(self, at: datetime, counts: Sequence[int]) -> None:
        lives: list[tuple[datetime, Kind]] = []
        kept: list[list[Any]] = []
        hour: defaultdict[Subject, Sums] = defaultdict(Sums)
        for minute, kinds in self._inventor.hour(counts):
            begins_at = at + timedelta(minutes=minute)
            lived = self._lived(begins_at, kinds)
            minutes = self._minute([kind for _, kind in lived], hour)
            kept += self._kept(minutes, Resolution.MINUTE, begins_at)
            lives += lived
        hours = {subject: _stored(worth) for subject, worth in hour.items()}
        kept += self._kept(hours, Resolution.HOUR, at)
        self._write(lives, kept)

    def _write(self, lives: Sequence[tuple[datetime, Kind]], kept: Sequence[list[Any]]) -> None:
        rows = list(self._rows(lives))
        _METRICS.insert(rows)
        if not self._beside:
            _ROLLUPS.insert(kept)
        self._written += len(rows)
        if self._written > self._requests - ROUTED:
            ids = [row[_ID] for row in rows]
            ROUTINGS.insert([row for row in self._routings(ids, lives) if row])

    def _lived(self, begins_at: datetime, kinds: Sequence[Kind]) -> list[tuple[datetime, Kind]]:
        """When each was asked, and what became of it."""
        seconds = self._inventor.seconds(len(kinds))
        if absences := self._absences.get(int(begins_at.timestamp()) // A_MINUTE_S):
            from_s = begins_at.timestamp()
            lived = self._inventor.lived
            kinds = [lived(k, from_s + s, absences) for k, s in zip(kinds, seconds, strict=True)]
        asked = (begins_at + timedelta(seconds=second) for second in seconds)
        return list(zip(asked, kinds, strict=True))

    def _rows(self, lives: Iterable[tuple[datetime, Kind]]) -> Iterator[list[Any]]:
        stored = connection.ops.adapt_datetimefield_value
        for asked_at, kind in lives:
            row = self._prepare(kind).row.copy()
            nanoseconds = int(asked_at.timestamp() * 1e6) * 1000
            row[_ID] = f"req_{nanoseconds:x}{self._inventor.suffix()}"
            row[_ASKED], row[_ENDED] = stored(asked_at), stored(asked_at + kind.latency)
            yield row

    def _routings(
        self, ids: Iterable[str], lives: Iterable[tuple[datetime, Kind]]
    ) -> Iterator[list[Any] | None]:
        for request_id, (asked_at, kind) in zip(ids, lives, strict=True):
            at_s = asked_at.timestamp()
            near = self._absences.get(int(at_s) // A_MINUTE_S, ())
            away = frozenset(absence.machine for absence in near if absence.covers(at_s))
            yield self._routes.row(kind, request_id, asked_at, away)

    def _minute(
        self, kinds: Iterable[Kind], hour: dict[Subject, Sums]
    ) -> dict[Subject, tuple[Any, ...]]:
        """What a minute's requests add up to, as it is stored; `hour` gets it too.

        Most machines have one of a model in a minute: that was worked out when it was prepared.
        """
        by_subject: defaultdict[Subject, list[_Prepared]] = defaultdict(list)
        for one in map(self._prepare, kinds):
            for subject in one.subjects:
                by_subject[subject].append(one)
        minute = {}
        for subject, several in by_subject.items():
            worth = several[0].worth if len(several) == 1 else _together(several)
            minute[subject] = several[0].stored if len(several) == 1 else _stored(worth)
            hour[subject].add(worth)
        return minute

    def _kept(
        self, sums: dict[Subject, tuple[Any, ...]], resolution: Resolution, at: datetime
    ) -> Iterator[list[Any]]:
        if missing := [subject for subject in sums if subject not in self._subjects]:
            made = rollups.subject_rows(missing)
            self._subjects |= {subject: row.pk for subject, row in made.items()}
        begins_s = int(at.timestamp())
        for subject, stored in sums.items():
            yield [self._subjects[subject], resolution.value, begins_s, *stored]

    def _prepare(self, kind: Kind) -> "_Prepared":
        prepared = self._prepared.get(kind)
        if prepared is None:
            prepared = self._prepared[kind] = _Prepared(kind)
        return prepared


class _Prepared:
    """A kind as the database takes it, and what it is worth."""

    __slots__ = ("row", "stored", "subjects", "worth")

    def __init__(self, kind: Kind) -> None:
        kind.metric.asked_at = kind.metric.ended_at = datetime.now().astimezone()
        self.row = _METRICS.row(kind.metric)
        self.subjects = subjects_of(kind.metric)
        self.worth = sums_of(kind.metric)
        self.stored = _stored(self.worth)


def _together(several: Iterable[_Prepared]) -> Sums:
    sums = Sums()
    for one in several:
        sums.add(one.worth)
    return sums


def _stored(sums: Sums) -> tuple[Any, ...]:
    return (
        sums.count,
        sums.errors,
        sums.cancelled,
        sums.refused,
        sums.cached,
        sums.prompt_tokens,
        sums.completion_tokens,
        None if sums.cost_usd is None else _cost(sums.cost_usd),
        sums.energy_j,
        *map(_merged, (sums.latency, sums.ttft, sums.gap)),
    )


@lru_cache(maxsize=1024)
def _cost(cost_usd: Decimal) -> Any:
    return Rollup._meta.get_field("cost_usd").get_db_prep_save(cost_usd, connection)


def _merged(histograms: list[Histogram]) -> bytes:
    """Packed; and left merged, because the hour's sums take them from here."""
    if not histograms:
        return b""
    if len(histograms) == 1:
        return _packed(histograms[0])
    return Histogram.merged(histograms).pack()


@lru_cache(maxsize=65_536)
def _packed(histogram: Histogram) -> bytes:
    return histogram.pack()
