"""What is kept of the requests of a stretch of time, how it is put together, and what it says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple, Self

from fleetweb.core.buckets import at_of
from fleetweb.core.latency import Histogram, packed_percentiles

from .tally import Sums

# The last two are None where nothing is known.
COLUMNS: Final = (
    "count",
    "errors",
    "cancelled",
    "refused",
    "cached",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "energy_j",
)
PACKED: Final = ("latency", "ttft", "gap")
_sums = attrgetter(*COLUMNS)

Packed = tuple[bytes, ...]
Blob = bytes | memoryview  # a packed histogram as a row holds it: PostgreSQL hands out views


@dataclass(frozen=True, slots=True)
class Point:
    """The requests that were asked in one stretch of time from `at` on.

    Percentiles are of those that were answered, and not from the cache, to a thousandth; None where
    there are none. `tokens_per_s` is the median's. `cost_usd` and `energy_j` are None where nothing
    is known.
    """

    at: datetime
    count: int = 0
    errors: int = 0
    cancelled: int = 0
    refused: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = None
    energy_j: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None
    tokens_per_s: float | None = None


class Kept(NamedTuple):
    """What is kept of some stretch of time: sums in the order of `COLUMNS`, packed histograms."""

    sums: tuple[Any, ...]
    latency: Packed
    ttft: Packed
    gap: Packed

    @classmethod
    def of_row(cls, latency: Blob, ttft: Blob, gap: Blob, *sums: Any) -> Self:
        """From columns in the order of `PACKED` and `COLUMNS`."""
        return cls(sums, _packed(latency), _packed(ttft), _packed(gap))

    @classmethod
    def of_sums(cls, sums: Sums) -> Self:
        kinds = (sums.latency, sums.ttft, sums.gap)
        packed = (tuple(histogram.pack() for histogram in kind) for kind in kinds)
        return cls(_sums(sums), *packed)


def _packed(blob: Blob) -> Packed:
    return (bytes(blob),) if blob else ()


@lru_cache(maxsize=8192)
def point(begins_s: int, kept: Kept) -> Point:
    """What is past does not change: it is worked out once."""
    (gap_ms,) = _percentiles(kept.gap, 50)
    figures = (
        *_percentiles(kept.latency, 50, 95, 99),
        *_percentiles(kept.ttft, 50, 95),
        1000 / gap_ms if gap_ms else None,
    )
    return Point(at_of(begins_s), *kept.sums, *(f if f is None else round(f, 3) for f in figures))


def _percentiles(kept: Packed, *qs: float) -> tuple[float | None, ...]:
    if len(kept) == 1:
        return packed_percentiles(kept[0], *qs)
    return Histogram.merged(map(Histogram.unpack, kept)).percentiles(*qs)


def together(parts: Sequence[Kept]) -> Kept:
    """All of them, which are one at least, as one."""
    if len(parts) == 1:
        return parts[0]
    sums, *packed = zip(*parts, strict=True)
    *counts, cost, energy = zip(*sums, strict=True)
    return Kept(
        (*map(sum, counts), _sum(cost), _sum(energy)), *(tuple(chain(*kind)) for kind in packed)
    )


def _sum(values: Iterable[Any]) -> Any:
    """None where nothing is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@lru_cache(maxsize=4096)
def merged(kept: Packed) -> bytes:
    """These histograms as one."""
    return Histogram.merged(map(Histogram.unpack, kept)).pack()


def as_one(parts: Sequence[Kept]) -> Kept:
    """All of them, which are one at least, with one histogram of each kind."""
    sums, *packed = together(parts)
    return Kept(sums, *((merged(kind),) for kind in packed))
