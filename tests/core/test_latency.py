"""Histograms that merge and pack, and the average that minds peaks."""

import itertools
import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.latency import (
    PEAK_DECAY_S,
    Histogram,
    PeakEwma,
    packed_percentiles,
    prompt_bucket,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOLERANCE = 0.025

values = st.floats(min_value=0, max_value=1e9)
several = st.lists(values, max_size=60)
histograms = several.map(Histogram.of)


def exact_percentile(sample: list[float], q: float) -> float:
    rank = min(max(1, math.ceil(q * len(sample) / 100)), len(sample))
    return sorted(sample)[rank - 1]


def lognormal(rng: random.Random) -> float:
    return rng.lognormvariate(6, 1.2)


def exponential(rng: random.Random) -> float:
    return rng.expovariate(1 / 800)


def two_humps(rng: random.Random) -> float:
    return rng.gauss(120, 10) if rng.random() < 0.7 else rng.gauss(40_000, 5000)


def heavy_tail(rng: random.Random) -> float:
    return 50 * rng.paretovariate(1.1)


DISTRIBUTIONS = [lognormal, exponential, two_humps, heavy_tail]


@pytest.mark.parametrize("draw", DISTRIBUTIONS)
@pytest.mark.parametrize("size", [1, 7, 400, 5000])
def test_percentiles_stay_close_to_exact_ones(draw, size):
    rng = random.Random(size)
    sample = [abs(draw(rng)) + 1 for _ in range(size)]
    histogram = Histogram.of(sample)
    for q in (0, 1, 10, 50, 90, 95, 99, 99.9, 100):
        assert histogram.percentile(q) == pytest.approx(exact_percentile(sample, q), rel=TOLERANCE)


@given(st.lists(st.floats(min_value=0.1, max_value=1e9), min_size=1), st.floats(0, 100))
def test_any_percentile_of_any_sample_is_within_tolerance(sample, q):
    expected = exact_percentile(sample, q)
    assert Histogram.of(sample).percentile(q) == pytest.approx(expected, rel=TOLERANCE)


@given(several)
def test_count_sum_and_extremes_are_exact_to_a_thousandth(sample):
    histogram = Histogram.of(sample)
    assert histogram.count == len(sample)
    assert histogram.sum == pytest.approx(math.fsum(sample), abs=0.001 * (len(sample) + 1))
    assert histogram.min == (pytest.approx(min(sample), abs=0.001) if sample else None)
    assert histogram.max == (pytest.approx(max(sample), abs=0.001) if sample else None)


def test_nothing_counted_is_unknown_and_not_zero():
    empty = Histogram()
    assert (empty.percentile(50), empty.min, empty.max, empty.mean) == (None, None, None, None)
    assert empty.pack() == b""
    assert Histogram.unpack(b"") == empty


@given(st.lists(several, max_size=5), st.randoms(use_true_random=False))
def test_merging_in_any_order_gives_the_same_bytes(parts, rng):
    at_once = Histogram.of(itertools.chain.from_iterable(parts)).pack()
    shuffled = [Histogram.of(part) for part in parts]
    rng.shuffle(shuffled)
    one_by_one = Histogram()
    for histogram in shuffled:
        one_by_one = one_by_one.merge(histogram)
    assert Histogram.merged(shuffled).pack() == at_once
    assert one_by_one.pack() == at_once


@given(several)
def test_adding_one_by_one_gives_the_same_as_all_at_once(values):
    one_by_one = Histogram()
    for value in values:
        one_by_one = one_by_one.add(value)
    assert one_by_one == Histogram.of(values)


@given(histograms, histograms, histograms)
def test_merging_is_associative_and_commutative(a, b, c):
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b) == b.merge(a)
    assert a.merge(Histogram()) == a


@given(histograms)
def test_packing_is_exact(histogram):
    assert Histogram.unpack(histogram.pack()) == histogram


@given(histograms)
def test_percentiles_can_be_told_without_unpacking(histogram):
    qs = (0, 50, 95, 99, 100)
    assert packed_percentiles(histogram.pack(), *qs) == histogram.percentiles(*qs)


def test_an_hour_of_traffic_packs_into_about_140_bytes():
    rng = random.Random(7)
    hour = Histogram.of(rng.lognormvariate(7, 0.5) for _ in range(400))
    assert 60 < len(hour.pack()) < 200


@given(st.binary(max_size=80))
def test_bytes_that_are_no_histogram_are_refused(packed):
    try:
        histogram = Histogram.unpack(packed)
    except ValueError:
        return
    assert Histogram.unpack(histogram.pack()) == histogram


@pytest.mark.parametrize("packed", [b"\x02\x01\x01", b"\x01", b"\x01\x03\x01\x01\x01\x80"])
def test_a_torn_or_foreign_packing_is_refused(packed):
    with pytest.raises(ValueError, match="These bytes"):
        Histogram.unpack(packed)


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_what_cannot_be_counted_is_refused(value):
    with pytest.raises(ValueError, match="finite values"):
        Histogram.of([value])


def test_percentile_of_what_lies_past_a_value():
    histogram = Histogram.of([10, 20, 40, 80, 160])
    assert histogram.percentile(50, above=30) == pytest.approx(80, rel=TOLERANCE)
    assert histogram.percentile(50, above=500) is None


@pytest.mark.parametrize(
    ("tokens", "bucket"),
    [(0, 0), (256, 0), (257, 1), (4096, 2), (4097, 3), (65_536, 4), (65_537, 5), (10**7, 5)],
)
def test_prompts_fall_into_six_size_classes(tokens, bucket):
    assert prompt_bucket(tokens) == bucket


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_an_average_of_nothing_is_unknown():
    assert PeakEwma().value(NOW) is None


def test_a_peak_counts_at_once_and_fades():
    steady = PeakEwma()
    for second in range(20):
        steady = steady.observe(100, after(second))
    peak = steady.observe(900, after(20))
    assert peak.value(after(20)) == pytest.approx(900)
    assert peak.value(after(20 + PEAK_DECAY_S)) < 500
    assert peak.value(after(20 + 20 * PEAK_DECAY_S)) == pytest.approx(peak.typical)


def test_a_good_sample_after_a_peak_is_not_believed_at_once():
    average = PeakEwma().observe(100, NOW).observe(900, after(1)).observe(100, after(2))
    assert average.value(after(2)) > 800
    assert average.samples == 3


def test_a_clock_set_back_changes_nothing():
    average = PeakEwma().observe(100, NOW).observe(500, after(1))
    assert average.value(after(-3600)) == average.value(after(1))


@given(st.lists(st.tuples(st.floats(0.001, 1e7), st.floats(0, 300)), min_size=1, max_size=30))
def test_the_estimate_stays_between_the_extremes_of_its_samples(steps):
    average, at = PeakEwma(), NOW
    for sample, wait_s in steps:
        at += timedelta(seconds=wait_s)
        average = average.observe(sample, at)
        assert average.value(at) >= sample * (1 - 1e-9)
    samples = [sample for sample, _ in steps]
    for wait_s in (0, 10, 1000):
        estimate = average.value(at + timedelta(seconds=wait_s))
        assert min(samples) * (1 - 1e-6) <= estimate <= max(samples) * (1 + 1e-6)
