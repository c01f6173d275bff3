"""Figures of machines that never were: samples where there would be some, and what they add up to.

The newest day has its samples as `memory` writes them; of what came before, one every ten minutes
goes into the sums and is gone.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import chain, groupby
from typing import Any, Final, NamedTuple, Protocol

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from fleetweb.core.buckets import Resolution, start_s
from fleetweb.core.presence import CognitiveState

from .memory import SAMPLE_EVERY
from .models import NodeSample, PresenceSpan
from .sample_rollups import FIGURES, Bucket, Figures, save

COARSE: Final = timedelta(minutes=10)
SAMPLED_FOR: Final = timedelta(days=1)
GIB: Final = 2**30
_COLUMNS: Final = [field.name for field in NodeSample._meta.concrete_fields if field.name != "id"]


class Rows(Protocol):
    """Where samples are put, many at once, all columns but the id: `gateway.bulk` has such."""

    def row(self, instance: Model) -> list[Any]: ...

    def insert(self, rows: Sequence[Sequence[Any]]) -> None: ...


class Reading(NamedTuple):
    """What differs from one sample of a span to the next."""

    at: datetime
    memory_used_bytes: int
    temperature_c: float
    power_w: float


VARYING: Final = Reading._fields[1:]
_STEADY: Final = [name for name in FIGURES if name not in VARYING]
_AT: Final = _COLUMNS.index("at")
_PLACES: Final = [_COLUMNS.index(name) for name in VARYING]


def invent(
    spans: Iterable[PresenceSpan], sampled_from: datetime, draw: random.Random, kept: Rows
) -> None:
    """Figures for what these spans tell; none while a machine is away."""
    minutes: dict[Bucket, Figures] = {}
    rows: list[list[Any]] = []
    for span in spans:
        if span.state != CognitiveState.OFFLINE and span.ended_at:
            sample = _sample(span)
            passing = _readings(span, _before(span, sampled_from), draw)
            staying = list(_readings(span, _from(span, sampled_from), draw))
            for begins_s, readings in groupby(chain(passing, staying), _minute_of):
                bucket = Bucket(span.node_id, Resolution.MINUTE, begins_s)
                _add(minutes.setdefault(bucket, Figures()), sample, list(readings))
            rows += _rows(kept.row(sample), staying)
    kept.insert(rows)
    save(minutes | _coarser(minutes, timezone.get_default_timezone()))


def _before(span: PresenceSpan, sampled_from: datetime) -> Iterator[datetime]:
    at, ended_at = span.started_at, span.ended_at or span.started_at
    while at < min(ended_at, sampled_from):
        yield at
        at += COARSE


def _from(span: PresenceSpan, sampled_from: datetime) -> Iterator[datetime]:
    """All machines are sampled at once, every so often since `sampled_from`."""
    behind = max(span.started_at - sampled_from, timedelta())
    at = sampled_from - (-behind // SAMPLE_EVERY) * SAMPLE_EVERY
    while at < (span.ended_at or at):
        yield at
        at += SAMPLE_EVERY


def _sample(span: PresenceSpan) -> NodeSample:
    """The first of a span; the others have other `Reading`s."""
    return NodeSample(
        node=span.node,
        at=span.started_at,
        state=span.state,
        intensity=span.intensity,
        requests_in_hand=int(span.intensity > 0.1),
        memory_total_bytes=(span.node.memory_gb or 0) * GIB,
        gpu_usage=span.intensity,
        cpu_usage=span.intensity / 4,
    )


def _readings(
    span: PresenceSpan, times: Iterable[datetime], draw: random.Random
) -> Iterator[Reading]:
    memory = (span.node.memory_gb or 0) * GIB
    temperature_c, power_w = 38 + 40 * span.intensity, 22 + 240 * span.intensity
    for at in times:
        yield Reading(
            at,
            int(memory * (0.6 + 0.01 * draw.random())),
            round(temperature_c + draw.random(), 1),
            round(power_w + 4 * draw.random(), 1),
        )


def _minute_of(reading: Reading) -> int:
    return start_s(reading.at, Resolution.MINUTE, UTC)


def _rows(first: Sequence[Any], readings: Iterable[Reading]) -> Iterator[list[Any]]:
    """As `first`, but for what differs: to make an object of each takes longer than all else."""
    for reading in readings:
        row = list(first)
        row[_AT] = _stored(reading.at)
        for place, value in zip(_PLACES, reading[1:], strict=True):
            row[place] = value
        yield row


@lru_cache(maxsize=10_000)
def _stored(at: datetime) -> Any:
    """All machines are sampled at the same times."""
    return connection.ops.adapt_datetimefield_value(at)


def _add(figures: Figures, sample: NodeSample, readings: Sequence[Reading]) -> None:
    """Samples of one minute; see `Figures.add_sample`."""
    count = len(readings)
    figures.samples += count
    figures.states[sample.state] += count
    for name in _STEADY:
        value = getattr(sample, name)
        figures.figure(name).add(count, count * value, value)
    _, *columns = zip(*readings, strict=True)
    for name, values in zip(VARYING, columns, strict=True):
        figures.figure(name).add(count, sum(values), max(values))


def _coarser(minutes: dict[Bucket, Figures], zone: tzinfo) -> dict[Bucket, Figures]:
    """The hours and days of these minutes, in `zone`."""
    sums: dict[Bucket, Figures] = {}
    for minute, figures in minutes.items():
        at = datetime.fromtimestamp(minute.start_s, zone)
        for resolution in (Resolution.HOUR, Resolution.DAY):
            bucket = Bucket(minute.node_id, resolution, start_s(at, resolution, zone))
            sums.setdefault(bucket, Figures()).add_figures(figures)
    return sums
