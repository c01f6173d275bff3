"""Writing an invented history: rows and rollups at once, as fast as the database takes them."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.db import connection, transaction

from fleetweb.core.buckets import Resolution
from fleetweb.core.candidates import LoadBalanceStrategy, RoutingDecision
from fleetweb.core.latency import Histogram

from . import rollups
from .bulk import Table
from .invention import Inventor, Kind, spread
from .models import RequestMetric, Rollup, RoutingRecord
from .tally import Subject, Sums, subjects_of, sums_of

AN_HOUR: Final = timedelta(hours=1)
# Of the newest requests only: with its candidates, a decision is larger than all else of a request.
ROUTED: Final = 50_000

_METRICS: Final = Table(RequestMetric)
_ROLLUPS: Final = Table(Rollup, without=("id",))
_ROUTINGS: Final = Table(RoutingRecord)
_ID, _ASKED, _ENDED = (
    [field.name for field in _METRICS.fields].index(name) for name in ("id", "asked_at", "ended_at")
)


class Seeding:
    """Invents `requests` of them, between `until` and so many days before it.

    `beside` says that others are kept already: what they add up to is added up anew at the end.
    """

    def __init__(
        self,
        nodes: Sequence[str],
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
        self._inventor = Inventor(nodes, seed)
        self._prepared: dict[int, _Prepared] = {}
        self._subjects: dict[Subject, int] = {}
        self._written = 0

    def run(self, told: Callable[[datetime, int], None]) -> int:
        """Write it all; `told` hears after each hour how many requests there are so far."""
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
        rows: list[list[Any]] = []
        kept: list[list[Any]] = []
        hour: defaultdict[Subject, Sums] = defaultdict(Sums)
        for minute, kinds in self._inventor.hour(counts):
            begins_at = at + timedelta(minutes=minute)
            drawn = [self._prepare(kind) for kind in kinds]
            rows += self._rows(begins_at, drawn)
            sums: defaultdict[Subject, Sums] = defaultdict(Sums)
            for one in drawn:
                for subject in one.subjects:
                    sums[subject].add(one.worth)
            kept += self._kept(sums, Resolution.MINUTE, begins_at)
            for subject, worth in sums.items():
                hour[subject].add(worth)
        kept += self._kept(hour, Resolution.HOUR, at)
        _METRICS.insert(rows)
        if not self._beside:
            _ROLLUPS.insert(kept)
        self._written += len(rows)
        if self._written > self._requests - ROUTED:
            _ROUTINGS.insert([_routing(row) for row in rows])

    def _rows(self, begins_at: datetime, drawn: Sequence["_Prepared"]) -> Iterator[list[Any]]:
        stored = connection.ops.adapt_datetimefield_value
        for one, second in zip(drawn, self._inventor.seconds(len(drawn)), strict=True):
            asked_at = begins_at + timedelta(seconds=second)
            row = one.row.copy()
            nanoseconds = int(asked_at.timestamp() * 1e6) * 1000
            row[_ID] = f"req_{nanoseconds:x}{self._inventor.suffix()}"
            row[_ASKED], row[_ENDED] = stored(asked_at), stored(asked_at + one.latency)
            yield row

    def _kept(
        self, sums: dict[Subject, Sums], resolution: Resolution, at: datetime
    ) -> Iterator[list[Any]]:
        if missing := sums.keys() - self._subjects.keys():
            made = rollups.subject_rows(missing)
            self._subjects |= {subject: row.pk for subject, row in made.items()}
        begins_s = int(at.timestamp())
        for subject, worth in sums.items():
            yield [self._subjects[subject], resolution.value, begins_s, *_stored(worth)]

    def _prepare(self, kind: Kind) -> "_Prepared":
        prepared = self._prepared.get(id(kind))
        if prepared is None:
            prepared = self._prepared[id(kind)] = _Prepared(kind)
        return prepared


class _Prepared:
    """A kind as the database takes it, and what it is worth."""

    __slots__ = ("latency", "row", "subjects", "worth")

    def __init__(self, kind: Kind) -> None:
        kind.metric.asked_at = kind.metric.ended_at = datetime.now().astimezone()
        self.row = _METRICS.row(kind.metric)
        self.latency = kind.latency
        self.subjects = subjects_of(kind.metric)
        self.worth = sums_of(kind.metric)


def _stored(sums: Sums) -> tuple[Any, ...]:
    cost = Rollup._meta.get_field("cost_usd").get_db_prep_save(sums.cost_usd, connection)
    return (
        sums.count,
        sums.errors,
        sums.cancelled,
        sums.refused,
        sums.cached,
        sums.prompt_tokens,
        sums.completion_tokens,
        cost,
        sums.energy_j,
        *map(_merged, (sums.latency, sums.ttft, sums.gap)),
    )


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


def _routing(row: Sequence[Any]) -> list[Any]:
    by_name = dict(zip((field.name for field in _METRICS.fields), row, strict=True))
    node, provider = by_name["node"], by_name["provider"]
    at_home = provider == "exo"
    decision = RoutingDecision.MODEL_LOADED if at_home else RoutingDecision.FALLBACK
    endpoint = f"http://{node or 'localhost'}:52415" if at_home else f"https://{provider}.example"
    record = RoutingRecord(
        request_id=by_name["id"],
        strategy=LoadBalanceStrategy.MODEL_AFFINITY.value if at_home else "",
        decision=decision.value,
        reason=f"{decision.value}: {node or provider} answers.",
        node_endpoint=endpoint,
        estimated_latency_ms=by_name["ttft_ms"],
        model_loaded=at_home,
        candidates=[_candidate(node, endpoint)] if node else [],
        attempts=[],
    )
    return _ROUTINGS.row(record)


def _candidate(node: str, endpoint: str) -> dict[str, Any]:
    return {
        "cluster": "fleet",
        "node": node,
        "node_endpoint": endpoint,
        "score": 0.0,
        "parts": {"loading_ms": 0.0, "load": 0.0},
        "excluded": None,
        "model_loaded": True,
        "holds_shard": True,
        "in_hand": 0,
        "waiting": 0,
        "estimated_latency_ms": None,
        "samples": 0,
    }
