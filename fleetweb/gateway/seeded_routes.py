"""Why invented requests went where they went: chosen as ever, among doors that never were."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from fleetweb.core import reasons
from fleetweb.core.balancing import BalanceState, RouteResult, choose, fell_back, rank
from fleetweb.core.breaker import BreakerState
from fleetweb.core.candidates import Candidate, LoadBalanceStrategy
from fleetweb.core.streams import Outcome

from .bulk import Table
from .history import routing_record
from .invention import Kind, Tried
from .measures import Attempt
from .misfortune import door_of
from .models import RequestMetric, RoutingRecord

STRATEGY: Final = LoadBalanceStrategy.MODEL_AFFINITY
RIVALS: Final = 3
ROUTINGS: Final = Table(RoutingRecord)
_NAMES: Final = [field.name for field in ROUTINGS.fields]
_REQUEST, _ATTEMPTS = _NAMES.index("request"), _NAMES.index("attempts")


class Routes:
    """Routes of the requests of kinds, among the machines of clusters. The same seed, the same."""

    def __init__(self, clusters: Mapping[str, Sequence[str]], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._clusters = {name: cluster for cluster, names in clusters.items() for name in names}
        self._known: dict[tuple[Kind, Collection[str]], list[Any] | None] = {}

    def row(
        self, kind: Kind, request_id: str, asked_at: datetime, away: frozenset[str]
    ) -> list[Any] | None:
        """What the database is given; None where nobody had to choose. `away` are not there."""
        key = (kind, away)
        if key not in self._known:
            self._known[key] = self._row(kind, away)
        known = self._known[key]
        if known is None:
            return None
        row = known.copy()
        attempts = [_attempt(tried, asked_at) for tried in kind.tries]
        row[_REQUEST], row[_ATTEMPTS] = request_id, msgspec.json.encode(attempts).decode()
        return row

    def _row(self, kind: Kind, away: frozenset[str]) -> list[Any] | None:
        if not kind.tries and kind.metric.status != Outcome.INTERRUPTED:
            return None
        return ROUTINGS.row(routing_record(self._route(kind, away)))

    def _route(self, kind: Kind, away: frozenset[str]) -> RouteResult:
        metric = kind.metric
        if metric.node:
            return self._chosen(metric, metric.node, metric.model, away)
        if len(kind.tries) < 2:
            return fell_back(metric.provider, metric.provider, self._nowhere(metric, away))
        vain = kind.tries[0]
        tried = self._chosen(metric, vain.node or "", vain.model, away)
        return fell_back(metric.provider, metric.provider, vain.error or "", tried.candidates)

    def _chosen(
        self, metric: RequestMetric, node: str, model: str, away: frozenset[str]
    ) -> RouteResult:
        """`node` wins: where another is as good it has more in hand, or is a door away."""
        winner = self._winner(metric, node)
        doors = [winner, *self._rivals(winner, metric.nodes, away)]
        return choose(STRATEGY, doors, BalanceState(), model=model)[0]

    def _nowhere(self, metric: RequestMetric, away: frozenset[str]) -> str:
        """Why the fleet could not be asked at all."""
        names = self._random.sample(list(self._clusters), min(RIVALS, len(self._clusters)))
        doors = [self._door(name, healthy=name not in away, fits=False) for name in names]
        ranked = rank(STRATEGY, doors, BalanceState(), model=metric.model_asked)
        return reasons.missing(ranked, metric.model_asked)

    def _winner(self, metric: RequestMetric, node: str) -> Candidate:
        """What was expected of it is off by a third now and then, as forecasts are."""
        draw = self._random
        took_ms = max(50.0, (metric.ttft_ms or metric.latency_ms or 0) - (metric.waited_ms or 0))
        return self._door(
            node,
            loaded=True,
            holds_shard=True,
            in_hand=draw.choice((0, 0, 0, 1, 1, 2)),
            ttft_ms=took_ms * draw.lognormvariate(0, 0.3),
            ttft_samples=draw.randint(3, 400),
        )

    def _rivals(
        self, winner: Candidate, holders: Collection[str], away: frozenset[str]
    ) -> Iterator[Candidate]:
        others = [name for name in self._clusters if name != winner.node]
        names = self._random.sample(others, min(len(others), self._random.randint(1, RIVALS)))
        elsewhere = [name for name in others if self._clusters[name] != winner.cluster]
        if elsewhere and not any(name in elsewhere for name in names):
            names[-1] = self._random.choice(elsewhere)
        known = {winner.cluster: winner}
        for name in names:
            cluster = self._clusters[name]
            if cluster in known:
                rival = self._beside(known[cluster], name, holders)
            else:
                rival = known[cluster] = self._far(winner, name)
            yield self._troubled(rival, away)

    def _beside(self, door: Candidate, name: str, holders: Collection[str]) -> Candidate:
        """Another door to the same cluster: all that is the cluster's is the same."""
        return replace(
            door,
            door=door_of(name),
            node=name,
            holds_shard=name in holders,
            streams=self._random.randint(1, 3),
        )

    def _far(self, winner: Candidate, name: str) -> Candidate:
        """A door to another cluster, which has the model or would have to load it."""
        draw = self._random
        luck = draw.random()
        if luck < 0.25:
            return self._door(name, fits=luck > 0.08, load_ms=draw.uniform(8e3, 4e4))
        return self._door(
            name,
            loaded=True,
            holds_shard=True,
            in_hand=winner.in_hand + draw.randint(0, 2),
            ttft_ms=(winner.ttft_ms or 0.0) * draw.uniform(1.01, 1.8),
            ttft_samples=draw.randint(3, 400),
        )

    def _troubled(self, rival: Candidate, away: frozenset[str]) -> Candidate:
        if rival.node in away:
            return replace(rival, healthy=False)
        if self._random.random() < 0.05:
            return replace(rival, breaker=BreakerState.OPEN, admitted=False)
        return rival

    def _door(self, name: str, **known: Any) -> Candidate:
        return Candidate(cluster=self._clusters[name], door=door_of(name), node=name, **known)


def _attempt(tried: Tried, asked_at: datetime) -> Attempt:
    return Attempt(
        tried.provider,
        tried.model,
        tried.endpoint,
        tried.node,
        asked_at + timedelta(milliseconds=tried.start_ms),
        tried.took_ms,
        tried.error,
    )
