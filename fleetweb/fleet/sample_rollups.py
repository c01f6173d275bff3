"""Adding samples up by minute, hour and day, in the transaction that saves them.

Only the one who polls writes samples, so nobody else adds up at the same time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import zip_longest
from typing import Final, NamedTuple

from django.utils import timezone

from fleetweb.core.buckets import Resolution, start_s
from fleetweb.core.presence import CognitiveState

from .models import NodeRollup, NodeSample

# In the order in which rows hold them: new ones go to the end.
FIGURES: Final = (
    "intensity",
    "requests_in_hand",
    "memory_used_bytes",
    "memory_total_bytes",
    "gpu_usage",
    "cpu_usage",
    "temperature_c",
    "power_w",
)


class Bucket(NamedTuple):
    node_id: int
    resolution: Resolution
    start_s: int


class Kept(NamedTuple):
    """What a row holds; see `NodeRollup`."""

    samples: int
    states: Mapping[CognitiveState, int]
    figures: Sequence[Sequence[float] | None]


@dataclass(slots=True)
class Figure:
    """How many samples knew it, what they add up to, and the greatest."""

    samples: int = 0
    total: float = 0.0
    greatest: float = 0.0

    def add(self, samples: int, total: float, greatest: float) -> None:
        self.greatest = max(self.greatest, greatest) if self.samples else greatest
        self.samples += samples
        self.total += total


@dataclass(slots=True)
class Figures:
    """What samples of one machine add up to."""

    samples: int = 0
    states: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Figure] = field(default_factory=dict)

    def add_sample(self, sample: NodeSample) -> None:
        self.samples += 1
        self.states[sample.state] += 1
        for name in FIGURES:
            value = getattr(sample, name)
            if value is not None:
                self.figure(name).add(1, value, value)

    def add_kept(
        self, samples: int, states: Mapping[str, int], figures: Sequence[Sequence[float] | None]
    ) -> None:
        """Add what a row holds."""
        self.samples += samples
        self.states.update(states)
        for name, kept in zip(FIGURES, figures, strict=False):
            if kept:
                known_by, total, greatest = kept
                self.figure(name).add(int(known_by), total, greatest)

    def add_figures(self, other: "Figures") -> None:
        self.samples += other.samples
        self.states.update(other.states)
        for name, kept in other.figures.items():
            self.figure(name).add(kept.samples, kept.total, kept.greatest)

    def figure(self, name: str) -> Figure:
        return self.figures.setdefault(name, Figure())

    def row(self, bucket: Bucket) -> NodeRollup:
        return NodeRollup(
            node_id=bucket.node_id,
            resolution=bucket.resolution.value,
            start_s=bucket.start_s,
            samples=self.samples,
            states=dict(self.states),
            figures=[self._kept(name) for name in FIGURES],
        )

    def _kept(self, name: str) -> list[float] | None:
        kept = self.figures.get(name)
        return [kept.samples, round(kept.total, 3), kept.greatest] if kept else None


def together(rows: Sequence[Kept]) -> Kept:
    """Several rows as one."""
    states: Counter[CognitiveState] = Counter()
    for row in rows:
        states.update(row.states)
    columns = zip_longest(*(row.figures for row in rows))
    figures = [_summed([figure for figure in column if figure]) for column in columns]
    return Kept(sum(row.samples for row in rows), states, figures)


def _summed(figures: Sequence[Sequence[float]]) -> tuple[float, ...] | None:
    if not figures:
        return None
    samples, totals, greatest = zip(*figures, strict=True)
    return sum(samples), sum(totals), max(greatest)


def add(samples: Sequence[NodeSample]) -> None:
    """Add samples, which are new, to what is kept."""
    if not samples:
        return
    sums = sums_of(samples, timezone.get_default_timezone())
    kept = NodeRollup.objects.filter(
        node__in={bucket.node_id for bucket in sums},
        start_s__in={bucket.start_s for bucket in sums},
    )
    for row in kept:
        bucket = Bucket(row.node_id, Resolution(row.resolution), row.start_s)
        if bucket in sums:
            sums[bucket].add_kept(row.samples, row.states, row.figures)
    save(sums)


def sums_of(samples: Iterable[NodeSample], zone: tzinfo) -> dict[Bucket, Figures]:
    """What they add up to at every resolution. Days are those of `zone`."""
    sums: dict[Bucket, Figures] = {}
    for sample in samples:
        for resolution in Resolution:
            begins_s = start_s(sample.at, resolution, zone)
            bucket = Bucket(sample.node_id, resolution, begins_s)
            sums.setdefault(bucket, Figures()).add_sample(sample)
    return sums


def save(sums: dict[Bucket, Figures]) -> None:
    NodeRollup.objects.bulk_create(
        [figures.row(bucket) for bucket, figures in sums.items()],
        update_conflicts=True,
        unique_fields=["node", "resolution", "start_s"],
        update_fields=["samples", "states", "figures"],
        batch_size=500,
    )
