"""What is measured: how to read it from a point or a reading, and how to say it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final, TypeAlias

from fleetweb.fleet.series import Reading
from fleetweb.gateway.points import Point

from .. import figures
from .asking import Percentile
from .book import Line

Value: TypeAlias = float | None


class Kind(StrEnum):
    """What sort of figure it is; the charts label their axes by it."""

    MS = "ms"
    RATE = "rate"
    COUNT = "count"
    SHARE = "share"
    GIGABYTES = "gb"
    DEGREES = "degrees"
    WATTS = "watts"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `of_point` reads it from requests, `of_reading` from what a machine reports.

    It is told to a thousandth.
    """

    key: str
    title: str
    head: str
    kind: Kind
    of_point: Callable[[Point], Value] | None = None
    of_reading: Callable[[Reading], Value] | None = None

    @property
    def is_machines(self) -> bool:
        return self.of_reading is not None

    def values(self, line: Line) -> tuple[Value, ...]:
        """One for every point of the grid; None is what nobody knows."""
        if self.of_reading is not None:
            return tuple(map(self.of_reading, line.readings))
        return tuple(map(self.of_point, line.points)) if self.of_point else ()

    def total(self, line: Line) -> Value:
        """Over the whole time: of all its requests, or the mean of its samples."""
        if self.of_point is not None:
            return self.of_point(line.series.total)
        known = [
            (value, reading.samples)
            for value, reading in zip(self.values(line), line.readings, strict=True)
            if value is not None
        ]
        if not known:
            return None
        if self.key == "temperature":
            return max(value for value, _ in known)
        return sum(value * weight for value, weight in known) / sum(w for _, w in known)

    @property
    def said(self) -> Callable[[Value], str]:
        """How a value is written."""
        return _SAID[self.kind]


def _memory_gb(reading: Reading) -> Value:
    used = reading.memory_used_bytes
    return None if used is None else round(used / 2**30, 3)


def _gigabytes(value: Value) -> str:
    return figures.UNKNOWN if value is None else f"{value:,.0f} GB"


def _number(value: Value) -> str:
    return figures.UNKNOWN if value is None else figures.number(value)


_SAID: Final[dict[Kind, Callable[[Value], str]]] = {
    Kind.MS: figures.elapsed,
    Kind.RATE: _number,
    Kind.COUNT: _number,
    Kind.SHARE: figures.share,
    Kind.GIGABYTES: _gigabytes,
    Kind.DEGREES: figures.degrees,
    Kind.WATTS: figures.watts,
}

LATENCY: Final = {
    Percentile.P50: Measure(
        "latency_p50", "Latency", "Latency p50", Kind.MS, of_point=attrgetter("p50_ms")
    ),
    Percentile.P95: Measure(
        "latency_p95", "Latency", "Latency p95", Kind.MS, of_point=attrgetter("p95_ms")
    ),
    Percentile.P99: Measure(
        "latency_p99", "Latency", "Latency p99", Kind.MS, of_point=attrgetter("p99_ms")
    ),
}
TTFT: Final = {
    Percentile.P50: Measure(
        "ttft_p50", "Time to first token", "First token p50", Kind.MS, attrgetter("ttft_p50_ms")
    ),
    Percentile.P95: Measure(
        "ttft_p95", "Time to first token", "First token p95", Kind.MS, attrgetter("ttft_p95_ms")
    ),
}
REQUESTS: Final = Measure(
    "requests", "Requests", "Requests", Kind.COUNT, of_point=attrgetter("count")
)
ERRORS: Final = Measure("errors", "Errors", "Errors", Kind.COUNT, of_point=attrgetter("errors"))
TOKENS: Final = Measure(
    "tokens_per_s", "Tokens per second", "Tokens/s", Kind.RATE, of_point=attrgetter("tokens_per_s")
)
OF_MACHINES: Final = (
    Measure("intensity", "Intensity", "Intensity", Kind.SHARE, of_reading=attrgetter("intensity")),
    Measure("gpu", "GPU", "GPU", Kind.SHARE, of_reading=attrgetter("gpu_usage")),
    Measure("memory", "Memory in use", "Memory", Kind.GIGABYTES, of_reading=_memory_gb),
    Measure(
        "temperature",
        "Temperature, at its hottest",
        "Hottest",
        Kind.DEGREES,
        of_reading=attrgetter("temperature_max_c"),
    ),
    Measure("power", "Power", "Power", Kind.WATTS, of_reading=attrgetter("power_w")),
)
# In the order of the tables.
OF_REQUESTS: Final = (REQUESTS, ERRORS, *LATENCY.values(), *TTFT.values(), TOKENS)


def columns(lines: Iterable[Line]) -> tuple[Measure, ...]:
    """All that is told of these lines: machines report figures of their own."""
    return OF_REQUESTS + (OF_MACHINES if any(line.readings for line in lines) else ())
