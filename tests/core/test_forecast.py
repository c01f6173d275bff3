"""How long a request will take: what is said, when nothing is, and whether it holds."""

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.forecast import Calibration, Estimate, Forecast, expected, forecast
from fleetweb.core.pace import Ask, Pace, Run
from fleetweb.core.progress import Progress, revise

TRAINING, HELD_OUT = 30, 150


@dataclass(frozen=True)
class Machine:
    """A pretend model on a pretend machine. Rates are tokens/s, sigmas those of logarithms."""

    prefill: float
    generation: float
    overhead_s: float
    answer: float
    noise: float
    answer_noise: float
    cache_hits: float = 0.0  # how often nine tenths of a prompt need not be read
    hits_are_known: bool = True
    bursts: float = 0.0  # how often it has company, which slows it


MACHINES = {
    "steady": Machine(900, 25, 0.2, 300, 0.10, 0.6),
    "noisy": Machine(300, 12, 0.5, 600, 0.45, 0.9),
    "frontier": Machine(60, 6, 2.0, 900, 0.25, 0.7),
    "cached": Machine(400, 20, 0.3, 400, 0.20, 0.6, cache_hits=0.4),
    "cached unawares": Machine(400, 20, 0.3, 400, 0.20, 0.6, 0.4, hits_are_known=False),
    "crowded": Machine(500, 15, 0.3, 300, 0.20, 0.6, bursts=0.5),
}


def draw_ask(machine: Machine, rng: random.Random) -> tuple[Ask, int]:
    """A request, and the tokens of its prompt that are cached in truth."""
    prompt = min(60_000, max(8, round(rng.lognormvariate(7, 1.3))))
    hit = rng.random() < machine.cache_hits
    cached = round(prompt * rng.uniform(0.85, 0.95)) if hit else 0
    ask = Ask(
        prompt_tokens=prompt,
        max_tokens=rng.choice([None, None, 100, 1000, 4000]),
        cached_tokens=cached if machine.hits_are_known else None,
        ahead=rng.randint(1, 8) if rng.random() < machine.bursts else 0,
    )
    return ask, cached


def draw_run(machine: Machine, rng: random.Random) -> Run:
    ask, cached = draw_ask(machine, rng)
    slowness = rng.lognormvariate(0, machine.noise / 2) * (1 + 0.3 * ask.ahead)
    unread = ask.prompt_tokens - cached
    # Attention makes long prompts slower by the token.
    reading_s = unread / machine.prefill * (1 + unread / 60_000)
    first_s = (machine.overhead_s + reading_s) * slowness * rng.lognormvariate(0, machine.noise)
    length = max(1, round(machine.answer * rng.lognormvariate(0, machine.answer_noise)))
    tokens = min(length, ask.max_tokens or length)
    writing_s = tokens / machine.generation * slowness * rng.lognormvariate(0, machine.noise / 3)
    return Run(ask, first_s, first_s + writing_s, tokens, cut=tokens < length)


def learned(machine: Machine, rng: random.Random, count: int = TRAINING) -> Pace:
    pace = Pace()
    for _ in range(count):
        pace = pace.learn(draw_run(machine, rng))
    return pace


def measured(machine: Machine, seed: int) -> tuple[Calibration, Calibration]:
    """How forecasts to the first token and to the end held on runs that were not learned from."""
    rng = random.Random(seed)
    pace = learned(machine, rng)
    first, end = Calibration(), Calibration()
    for _ in range(HELD_OUT):
        run = draw_run(machine, rng)
        said = forecast(pace, run.ask)
        assert said.first_token is not None
        assert said.end is not None
        first = first.observe(said.first_token, run.first_token_s)
        end = end.observe(said.end, run.total_s)
    return first, end


def some_pace() -> Pace:
    return learned(MACHINES["steady"], random.Random(1))


# Whether it holds


@pytest.mark.parametrize("name", MACHINES)
def test_nine_in_ten_held_out_runs_stay_within_the_ninth_decile(name):
    first, end = zip(*(measured(MACHINES[name], seed) for seed in range(16)), strict=True)
    for calibration in (Calibration.merged(first), Calibration.merged(end)):
        assert calibration.coverage is not None
        assert 0.85 <= calibration.coverage <= 0.95
        assert 0.4 <= calibration.within_p50 / calibration.forecasts <= 0.6


@pytest.mark.parametrize("name", MACHINES)
def test_it_still_holds_while_it_goes_on_learning(name):
    machine, rng = MACHINES[name], random.Random(5)
    pace, calibration = learned(machine, rng), Calibration()
    for _ in range(600):
        run = draw_run(machine, rng)
        said = forecast(pace, run.ask).end
        assert said is not None
        calibration = calibration.observe(said, run.total_s)
        pace = pace.learn(run)
    assert calibration.coverage is not None
    assert 0.85 <= calibration.coverage <= 0.95


def halfway(run: Run) -> Progress:
    """A run when half of its prompt has been read, at an even pace."""
    prompt, half_s = run.ask.prompt_tokens, run.first_token_s / 2
    return Progress(half_s, read_tokens=prompt // 2, total_tokens=prompt, reading_s=half_s)


def half_written(run: Run) -> Progress:
    writing_s = (run.total_s - run.first_token_s) / 2
    return Progress(
        run.first_token_s + writing_s, written_tokens=run.answer_tokens // 2, writing_s=writing_s
    )


def test_what_is_said_gets_closer_as_the_prompt_is_read():
    machine, rng = MACHINES["noisy"], random.Random(3)
    pace = learned(machine, rng)
    runs = [draw_run(machine, rng) for _ in range(100)]
    runs = [run for run in runs if run.ask.prompt_tokens > 200]
    before = [forecast(pace, run.ask).first_token for run in runs]
    halfway_on = [revise(pace, run.ask, halfway(run)).first_token for run in runs]
    off_before = sum(abs(e.p50_s - r.first_token_s) for e, r in zip(before, runs, strict=True))
    off_after = sum(abs(e.p50_s - r.first_token_s) for e, r in zip(halfway_on, runs, strict=True))
    assert off_after < off_before * 0.6
    assert all(a.spread_s < b.spread_s for a, b in zip(halfway_on, before, strict=True))


def test_it_still_holds_when_half_is_written():
    machine, rng = MACHINES["steady"], random.Random(4)
    pace, calibration = learned(machine, rng, 100), Calibration()
    for _ in range(400):
        run = draw_run(machine, rng)
        if run.answer_tokens < 20:
            continue
        said = revise(pace, run.ask, half_written(run)).end
        if said is not None:
            calibration = calibration.observe(said, run.total_s)
    assert calibration.forecasts > 200
    assert calibration.coverage is not None
    assert calibration.coverage >= 0.85


# What is not known is not said


def test_nothing_learned_is_nothing_said():
    assert forecast(Pace(), Ask(1000)) == Forecast(None, None)
    assert revise(Pace(), Ask(1000), Progress(elapsed_s=5)) == Forecast(None, None)
    assert expected(None) is None


def test_one_run_is_enough_for_a_wide_forecast():
    pace = Pace().learn(Run(Ask(1000), first_token_s=2.0, total_s=12.0, answer_tokens=101))
    said = forecast(pace, Ask(1000))
    assert said.first_token is not None
    assert said.first_token.p50_s == pytest.approx(2.0, rel=0.05)
    assert said.first_token.p90_s == pytest.approx(4.0, rel=0.05)
    assert said.end is not None
    assert said.end.p50_s == pytest.approx(12.0, rel=0.05)


def test_an_unknown_wait_leaves_everything_unknown():
    assert forecast(some_pace(), Ask(1000, wait_s=None)) == Forecast(None, None)


def test_loading_that_was_never_seen_leaves_everything_unknown():
    assert forecast(some_pace(), Ask(1000, needs_loading=True)) == Forecast(None, None)


def test_loading_and_queue_are_added():
    pace = some_pace().loaded_in(60.0)
    plain, slow = (
        forecast(pace, ask).first_token
        for ask in (Ask(1000), Ask(1000, wait_s=20.0, needs_loading=True))
    )
    assert plain is not None
    assert slow is not None
    assert slow.p50_s == pytest.approx(plain.p50_s + 80, rel=0.03)
    assert slow.p90_s >= 110


# What bears on it


def test_a_longer_prompt_takes_longer_and_a_cached_one_less():
    pace = some_pace()
    short, long, cached = (
        forecast(pace, ask).first_token
        for ask in (Ask(1000), Ask(10_000), Ask(10_000, cached_tokens=9500))
    )
    assert short is not None
    assert long is not None
    assert cached is not None
    assert cached.p50_s < short.p50_s < long.p50_s


def test_company_makes_it_slower():
    pace = learned(MACHINES["crowded"], random.Random(2), 60)
    alone, beside = (forecast(pace, Ask(1000, ahead=ahead)).end for ahead in (0, 6))
    assert alone is not None
    assert beside is not None
    assert beside.p50_s > alone.p50_s * 1.5


def test_an_answer_is_not_expected_to_outgrow_its_bound():
    pace = some_pace()
    free, bounded = (forecast(pace, ask).end for ask in (Ask(100), Ask(100, max_tokens=25)))
    assert free is not None
    assert bounded is not None
    assert bounded.p90_s < free.p50_s


def test_reading_seen_at_a_new_place_is_extrapolated():
    said = revise(Pace(), Ask(8192), Progress(10.0, 4096, 8192, reading_s=8.0)).first_token
    assert said == Estimate(p50_s=18.0, p90_s=26.0)
    assert revise(Pace(), Ask(8192), Progress(10.0, 4096, 8192, reading_s=8.0)).end is None


def test_an_answer_longer_than_any_before_has_no_known_end():
    progress = Progress(500.0, written_tokens=90_000, writing_s=498.0)
    assert revise(some_pace(), Ask(100), progress).end is None
    bounded = revise(some_pace(), Ask(100, max_tokens=100_000), progress).end
    assert bounded is not None
    assert bounded.p50_s > 500


def test_a_first_token_that_has_come_is_known():
    said = revise(some_pace(), Ask(1000), Progress(10.0, written_tokens=50, writing_s=7.0))
    assert said.first_token == Estimate(3.0, 3.0)


@given(
    st.integers(0, 200_000),
    st.none() | st.integers(1, 5000),
    st.none() | st.integers(0, 300_000),
    st.integers(0, 64),
    st.floats(0, 1e4),
)
def test_what_is_said_is_always_in_order(prompt, most, cached, ahead, wait_s):
    said = forecast(some_pace(), Ask(prompt, most, cached, ahead, wait_s))
    assert said.first_token is not None
    assert said.end is not None
    assert wait_s <= said.first_token.p50_s <= said.first_token.p90_s
    assert said.first_token.p50_s <= said.end.p50_s <= said.end.p90_s


@given(st.floats(0.01, 1e4), st.integers(0, 5000), st.floats(0, 1e4))
def test_what_is_revised_never_lies_in_the_past_unless_it_is_overdue(elapsed_s, written, writing_s):
    progress = Progress(elapsed_s, written_tokens=written, writing_s=min(writing_s, elapsed_s))
    said = revise(some_pace(), Ask(1000), progress).end
    assert said is None or said.p50_s >= min(elapsed_s, said.p90_s)


# What is learned


def test_what_two_days_learned_apart_is_known_together_in_any_order():
    one, two = (learned(MACHINES["cached"], random.Random(seed)) for seed in (1, 2))
    together = Pace.merged([one, two])
    assert together.packed() == Pace.merged([two, one]).packed()
    assert together.measure("writing").count == 2 * TRAINING
    assert Pace.unpacked(together.packed()) == together


def test_a_pace_is_small():
    packed = learned(MACHINES["cached"], random.Random(1), 1000).packed()
    assert sum(len(name) + len(raw) for name, raw in packed.items()) < 2500


def test_an_answer_cut_at_its_bound_does_not_teach_how_long_answers_are():
    run = Run(Ask(10, max_tokens=5), 0.1, 0.5, answer_tokens=5, cut=True)
    assert Pace().learn(run).measure("answers").count == 0
    assert Pace().learn(replace(run, cut=False)).measure("answers").count == 1


def test_an_answer_of_one_token_teaches_no_rate():
    one = Pace().learn(Run(Ask(10), first_token_s=0.1, total_s=0.2, answer_tokens=1))
    assert one.measure("writing").count == 0
    assert forecast(one, Ask(10)).end is None


# Words


@pytest.mark.parametrize(
    ("estimate", "elapsed_s", "said"),
    [
        (Estimate(41, 66), 0, "About 40 s, at most 70."),
        (Estimate(41, 66), 20, "About 20 s, at most 50."),
        (Estimate(3.2, 3.9), 0, "About 3 s, at most 4."),
        (Estimate(0.2, 0.4), 0, "About 1 s."),
        (Estimate(95, 260), 0, "About 100 s, at most 5 min."),
        (Estimate(245, 400), 0, "About 4 min, at most 7."),
        (Estimate(9000, 20_000), 0, "About 2 h, at most 6."),
        (Estimate(10, 20), 31, "Longer than expected: 30 s so far."),
        (Estimate(10, 20), 15, "About 1 s, at most 5."),
    ],
)
def test_it_is_said_as_people_say_it(estimate, elapsed_s, said):
    assert expected(estimate, elapsed_s) == said


def test_coverage_of_no_forecasts_is_unknown():
    assert Calibration().coverage is None
    assert Calibration().observe(Estimate(1, 2), 1.5) == Calibration(1, 0, 1)
