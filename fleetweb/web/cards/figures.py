"""Numbers as people read them. None is said as unknown, never as 0."""

from functools import lru_cache
from typing import Final

from fleetweb.core.words import duration

UNKNOWN = "unknown"
# One page has thousands of figures, and most of them more than once.
MOST_WRITTEN: Final = 4096

_GIB = 2**30
_MINUTE, _DAY = 60, 86_400  # seconds


def gigabytes(count: int | None) -> str:
    """In the units of the machine's own label: a 512 GB Mac holds 512 × 2³⁰ bytes."""
    if count is None:
        return UNKNOWN
    amount = count / _GIB
    return f"{amount:,.0f} GB" if amount >= 10 else f"{amount:.1f} GB"


def share(part: float | None) -> str:
    """A part of one, as per cent."""
    return UNKNOWN if part is None else f"{100 * part:.0f} %"


def degrees(celsius: float | None) -> str:
    return UNKNOWN if celsius is None else f"{celsius:.0f} °C"


def watts(power_w: float | None) -> str:
    return UNKNOWN if power_w is None else f"{power_w:.0f} W"


@lru_cache(maxsize=MOST_WRITTEN)
def number(value: float | int) -> str:
    """At most one decimal, thousands apart."""
    rounded = round(float(value), 1)
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,.1f}"


@lru_cache(maxsize=MOST_WRITTEN)
def svg(value: float) -> str:
    """A coordinate: always with a point, whatever the reader's language."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@lru_cache(maxsize=MOST_WRITTEN)
def elapsed(ms: float | None) -> str:
    """`840 ms`, `4.2 s`, `3 min`: of what is over, so rounded and not cut off as what ticks is."""
    if ms is None:
        return UNKNOWN
    if ms < 999.5:
        return f"{ms:,.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 9950 else duration(_rounded(ms / 1000))


def _rounded(seconds: float) -> int:
    """To the smallest unit in which so long a time is told."""
    unit = 1 if round(seconds) < 2 * _MINUTE else _MINUTE
    whole = round(seconds / unit) * unit
    return whole if whole < 2 * _DAY else round(seconds / _DAY) * _DAY
