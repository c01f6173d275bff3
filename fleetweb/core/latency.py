"""How long things take, as small values: histograms that merge, and an average that minds peaks."""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import Self

GAMMA = 1.04
MAX_RELATIVE_ERROR = (GAMMA - 1) / (GAMMA + 1)  # 2 %: of a bucket's middle, for all that is in it
PER_UNIT = 1000  # values are kept in whole thousandths, so that sums do not depend on their order

_LOG_GAMMA = math.log(GAMMA)
_counts = itemgetter(1)
_FORMAT = 1

PEAK_DECAY_S = 60.0
PEAK_SMOOTHING = 0.1  # weight of a new sample in the typical value, once ten have come

PROMPT_SIZES = (256, 1024, 4096, 16_384, 65_536)


def prompt_bucket(tokens: int) -> int:
    """Which size class a prompt falls in: 0 for up to 256 tokens, 5 for more than 65,536."""
    return bisect_right(PROMPT_SIZES, tokens - 1)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How values of one kind (milliseconds, tokens per second) were distributed.

    `buckets` are (index, count) in rising order; bucket 0 holds zero, bucket i what lies in
    (γ^(i-2), γ^(i-1)] thousandths. Sum, smallest and largest are whole thousandths.
    Everything is whole, so merging in any order gives the same value and the same bytes.
    """

    buckets: tuple[tuple[int, int], ...] = ()
    sum_thousandths: int = 0
    min_thousandths: int = 0
    max_thousandths: int = 0

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The histogram of `values`. Raises ValueError for a negative or infinite one."""
        whole = [_thousandths(value) for value in values]
        if not whole:
            return cls()
        counts = Counter(map(_index, whole))
        return cls(tuple(sorted(counts.items())), sum(whole), min(whole), max(whole))

    @classmethod
    def merged(cls, histograms: Iterable[Self]) -> Self:
        """All of them as one; as cheap for a quarter's hours as for two."""
        filled = [histogram for histogram in histograms if histogram.buckets]
        if len(filled) < 2:
            return filled[0] if filled else cls()
        counts: dict[int, int] = {}
        for index, count in chain.from_iterable(histogram.buckets for histogram in filled):
            counts[index] = counts.get(index, 0) + count
        return cls(
            tuple(sorted(counts.items())),
            sum(h.sum_thousandths for h in filled),
            min(h.min_thousandths for h in filled),
            max(h.max_thousandths for h in filled),
        )

    def merge(self, other: Self) -> Self:
        return self.merged((self, other))

    def add(self, value: float) -> Self:
        """With one more value, at the cost of finding its place: every answer adds several."""
        if not self.buckets:
            return self.of((value,))
        whole = _thousandths(value)
        index = _index(whole)
        at = bisect_left(self.buckets, (index, 0))
        is_known = at < len(self.buckets) and self.buckets[at][0] == index
        bucket = (index, self.buckets[at][1] + 1 if is_known else 1)
        return type(self)(
            (*self.buckets[:at], bucket, *self.buckets[at + is_known :]),
            self.sum_thousandths + whole,
            min(self.min_thousandths, whole),
            max(self.max_thousandths, whole),
        )

    @property
    def count(self) -> int:
        return sum(map(_counts, self.buckets))

    @property
    def sum(self) -> float:
        return self.sum_thousandths / PER_UNIT

    @property
    def min(self) -> float | None:
        return self.min_thousandths / PER_UNIT if self.buckets else None

    @property
    def max(self) -> float | None:
        return self.max_thousandths / PER_UNIT if self.buckets else None

    @property
    def mean(self) -> float | None:
        return self.sum / self.count if self.buckets else None

    def percentile(self, q: float, *, above: float | None = None) -> float | None:
        """The nearest-rank percentile within 2 %; `q` is 0..100.

        `above` asks only those past that value, to the nearest bucket. None where there are none.
        """
        buckets = self.buckets if above is None else self._past(above)
        return self._nearest_ranks(buckets, (q,))[0]

    def percentiles(self, *qs: float) -> tuple[float | None, ...]:
        """Several percentiles, counted once."""
        return self._nearest_ranks(self.buckets, qs)

    def _nearest_ranks(
        self, buckets: tuple[tuple[int, int], ...], qs: Sequence[float]
    ) -> tuple[float | None, ...]:
        if not buckets:
            return (None,) * len(qs)
        found = (_middle(buckets[place][0]) for place in _nearest(map(_counts, buckets), qs))
        return _within(found, self.min_thousandths, self.max_thousandths)

    def _past(self, value: float) -> tuple[tuple[int, int], ...]:
        passed = _index(_thousandths(value))
        return tuple(bucket for bucket in self.buckets if bucket[0] > passed)

    def pack(self) -> bytes:
        """A few bytes a bucket: about 140 for an hour's traffic. Equal histograms, equal bytes."""
        if not self.buckets:
            return b""
        head = _varints((self.sum_thousandths, self.min_thousandths, self.max_thousandths))
        return bytes((_FORMAT, len(head))) + head + _varints(self._body())

    def _body(self) -> Iterator[int]:
        previous = 0
        for index, count in self.buckets:
            yield index - previous
            yield count
            previous = index

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """What `pack` was given. Raises ValueError for anything else."""
        if not packed:
            return cls()
        head, body = _parts(packed)
        buckets = zip(accumulate(body[::2]), body[1::2], strict=True)
        return cls(tuple(buckets), *head)


def packed_percentiles(packed: bytes, *qs: float) -> tuple[float | None, ...]:
    """What `Histogram.unpack(packed).percentiles(*qs)` says, in half the time."""
    if not packed:
        return (None,) * len(qs)
    (_, least, most), body = _parts(packed)
    found = (_middle(sum(body[: 2 * place + 1 : 2])) for place in _nearest(body[1::2], qs))
    return _within(found, least, most)


def _parts(packed: bytes) -> tuple[list[int], list[int]]:
    """Sum, least and most; and how far each bucket lies from the one before, and its count."""
    start = 2 + packed[1] if len(packed) > 1 and packed[0] == _FORMAT else len(packed)
    head, body = _numbers(packed[2:start]), _numbers(packed[start:])
    if len(head) != 3 or len(body) < 2 or len(body) % 2:
        raise ValueError("These bytes are not a packed histogram.")
    return head, body


def _nearest(counts: Iterable[int], qs: Iterable[float]) -> Iterator[int]:
    """The places of the buckets that these percentiles lie in."""
    so_far = list(accumulate(counts))
    for q in qs:
        yield bisect_left(so_far, min(max(1, math.ceil(q * so_far[-1] / 100)), so_far[-1]))


def _within(middles: Iterable[float], least: int, most: int) -> tuple[float, ...]:
    return tuple(min(max(middle, least), most) / PER_UNIT for middle in middles)


def _thousandths(value: float) -> int:
    if not 0 <= value < math.inf:
        raise ValueError(f"A histogram counts finite values from 0 on, not {value}.")
    return round(value * PER_UNIT)


def _index(thousandths: int) -> int:
    return 1 + math.ceil(math.log(thousandths) / _LOG_GAMMA) if thousandths else 0


@cache
def _middle(index: int) -> float:
    """The value whose distance to both ends of its bucket is the same share of them."""
    return 2 * GAMMA**index / (GAMMA * (GAMMA + 1)) if index else 0.0


def _varints(numbers: Iterable[int]) -> bytes:
    """Seven bits a byte, lowest first; the high bit says that more follow (LEB128)."""
    packed = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            packed.append(rest & 0x7F | 0x80)
            rest >>= 7
        packed.append(rest)
    return bytes(packed)


def _numbers(packed: bytes) -> list[int]:
    if packed and packed[-1] > 0x7F:
        raise ValueError("These bytes end in the middle of a number.")
    numbers: list[int] = []
    number = shift = 0
    for byte in packed:
        if byte > 0x7F:
            number |= (byte & 0x7F) << shift
            shift += 7
        elif shift:
            numbers.append(number | byte << shift)
            number = shift = 0
        else:
            numbers.append(byte)
    return numbers


@dataclass(frozen=True, slots=True)
class PeakEwma:
    """A moving average that jumps to a peak at once and forgets it over about a minute.

    `typical` is the plain moving average; `excess` is how far the estimate stood from it `at` the
    last sample. A place that was slow once returns to what is typical of it while nobody asks it,
    so one bad answer does not keep it from being asked again.
    """

    typical: float = 0.0
    excess: float = 0.0
    samples: int = 0
    at: datetime | None = None

    def observe(self, sample: float, now: datetime) -> Self:
        weight = max(1 / (self.samples + 1), PEAK_SMOOTHING)
        typical = self.typical + (sample - self.typical) * weight
        before = self.value(now)
        kept = self._fading(now)
        level = sample if before is None or sample > before else sample + (before - sample) * kept
        return type(self)(typical, level - typical, self.samples + 1, now)

    def value(self, now: datetime) -> float | None:
        """The estimate at `now`; None before the first sample."""
        if self.at is None:
            return None
        return self.typical + self.excess * self._fading(now)

    def _fading(self, now: datetime) -> float:
        """The share of the excess that is left; a clock set back counts as no time."""
        if self.at is None:
            return 0.0
        return math.exp(-max(0.0, (now - self.at).total_seconds()) / PEAK_DECAY_S)
