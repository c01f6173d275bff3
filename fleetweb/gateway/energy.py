"""What a request cost in electricity, where the machines that worked on it say what they draw."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fleetweb.core.streams import Outcome
from fleetweb.fleet.models import NodeSample

from .models import RequestMetric

# Figures are kept every ten seconds: a short request has one just before it.
REACHES_BACK: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Draw:
    """A request's share of what a machine drew at one moment."""

    at: datetime
    watts: float


def measure(metrics: Iterable[RequestMetric]) -> None:
    """Set `energy_j` where it is known: of all the machines that worked, for all the time."""
    worked = [metric for metric in metrics if _has_worked(metric)]
    if worked:
        draws = _draws(worked)
        for metric in worked:
            metric.energy_j = _energy_j(metric, draws)


def _has_worked(metric: RequestMetric) -> bool:
    went_on = metric.status != Outcome.INTERRUPTED  # else nobody knows how long it worked
    return bool(metric.nodes) and went_on and not metric.cached and metric.ended_at is not None


def _draws(metrics: Sequence[RequestMetric]) -> Mapping[str, Sequence[Draw]]:
    names = {name for metric in metrics for name in metric.nodes}
    since = min(_began_at(metric) for metric in metrics) - REACHES_BACK
    until = max(metric.ended_at for metric in metrics if metric.ended_at)
    rows = NodeSample.objects.filter(
        node__name__in=names, at__range=(since, until), power_w__isnull=False
    ).values_list("node__name", "at", "power_w", "requests_in_hand")
    draws: defaultdict[str, list[Draw]] = defaultdict(list)
    for name, at, power_w, in_hand in rows:
        draws[name].append(Draw(at, (power_w or 0.0) / max(1, in_hand)))
    return draws


def _energy_j(metric: RequestMetric, draws: Mapping[str, Sequence[Draw]]) -> float | None:
    began, ended = _began_at(metric), metric.ended_at or metric.asked_at
    watts = [_mean_watts(draws.get(name, ()), began, ended) for name in metric.nodes]
    if None in watts:
        return None
    seconds = max(0.0, (ended - began).total_seconds())
    return sum(filter(None, watts)) * seconds


def _mean_watts(draws: Sequence[Draw], began: datetime, ended: datetime) -> float | None:
    during = [draw.watts for draw in draws if began <= draw.at <= ended]
    if during:
        return sum(during) / len(during)
    before = [draw for draw in draws if began - REACHES_BACK <= draw.at < began]
    return max(before, key=lambda draw: draw.at).watts if before else None


def _began_at(metric: RequestMetric) -> datetime:
    """When machines began to work for it: what it waited for before is not theirs."""
    return metric.asked_at + timedelta(milliseconds=metric.waited_ms or 0.0)
