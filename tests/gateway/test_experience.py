"""What is learned of models: how fast they are, how long silent, and what that foretells."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from fleetweb.core.chat import Chunk, Progress, Usage
from fleetweb.core.listening.silence import Gap, Phase
from fleetweb.core.pace import Ask, Run
from fleetweb.core.progress import Progress as Come
from fleetweb.core.streams import Outcome, Stage
from fleetweb.gateway import experience as experience_module
from fleetweb.gateway.experience import Experience
from fleetweb.gateway.models import RequestMetric
from fleetweb.gateway.passage import Passage
from fleetweb.rehearsal import SMALL
from fleetweb.web import metrics_gateway
from tests.fleet.watching import in_database
from tests.rehearsal.waiting import until

from .house import ME, ask, house, loaded, prompt

MODEL, HOME, ATTIC = "org/Model", "home", "attic"


def run(first_token_s=2.0, total_s=12.0, tokens=100, prompt_tokens=1000):
    return Run(Ask(prompt_tokens), first_token_s, total_s, tokens)


def experienced(runs=10, cluster=HOME):
    experience = Experience()
    for _ in range(runs):
        experience.learn_run(MODEL, cluster, run())
    return experience


def outlook(experience, cluster=HOME, text="word " * 799, **known):
    known = {"ahead": 0, "needs_loading": False} | known
    return experience.outlook(prompt(text, MODEL), MODEL, cluster, **known)


def passage(text="word " * 799):
    return Passage(prompt(text, MODEL), ME, lambda _: None)


def waits(passage, seconds):
    """As if it had come so much earlier."""
    passage.measures._began -= seconds
    passage.asked_at -= timedelta(seconds=seconds)


# Expecting


def test_a_model_nobody_has_seen_gets_no_forecast():
    said = outlook(Experience()).forecast(Come(0.0))
    assert (said.first_token, said.end) == (None, None)


def test_what_was_seen_is_expected_again():
    said = outlook(experienced()).forecast(Come(0.0))
    assert said.first_token.p50_s == pytest.approx(2.0, rel=0.2)
    assert said.first_token.p90_s > said.first_token.p50_s * 0.99


def test_what_was_seen_in_one_cluster_says_nothing_of_another():
    assert outlook(experienced(), cluster=ATTIC).forecast(Come(0.0)).first_token is None


def test_loading_takes_as_long_as_it_took():
    experience = experienced()
    for _ in range(10):
        experience.learn_load(MODEL, HOME, 60.0)
    said = outlook(experience, needs_loading=True).forecast(Come(0.0))
    assert said.first_token.p50_s == pytest.approx(62.0, rel=0.1)


def test_silences_add_up_over_clusters():
    assert Experience().gaps_of(MODEL) is None
    gaps = [Gap(Phase.THINKING, 0.1, 900)] * 200 + [Gap(Phase.THINKING, 22.0, 900)]
    once, twice = Experience(), Experience()
    once.learn_gaps(MODEL, gaps)
    assert once.gaps_of(MODEL).longest_s(Phase.THINKING, 900) is None  # too few
    for _ in range(2):
        twice.learn_gaps(MODEL, gaps)
    assert twice.gaps_of(MODEL).longest_s(Phase.THINKING, 900) == pytest.approx(22.0)


def test_what_comes_at_once_is_learned_together_and_soon(monkeypatch):
    """However many answers end in a moment, forecasts are reckoned anew only so often."""
    now = [1000.0]
    monkeypatch.setattr(experience_module.time, "monotonic", lambda: now[0])
    experience = experienced(1)
    first = outlook(experience).pace
    for _ in range(30):
        experience.learn_run(MODEL, HOME, run())
        assert outlook(experience).pace is first
    now[0] += experience_module.LEARNS_EVERY_S
    assert outlook(experience).pace.count("writing") == 31


def test_one_run_that_cannot_be_learned_costs_nobody_else_anything():
    experience = experienced(3)
    experience.learn_run(MODEL, HOME, run(tokens=-5))
    experience.learn_run(MODEL, ATTIC, run())
    with pytest.raises(ValueError, match=r"-5\.0"):
        experience.catch_up()
    experience._learns_at = 0.0
    experience.learn_run(MODEL, ATTIC, run())
    assert outlook(experience, cluster=ATTIC).pace.count("writing") >= 1


@pytest.mark.parametrize("count", [-1, 2**31, 10**30])
def test_counts_that_cannot_be_are_neither_learned_nor_remembered(count):
    asked = passage()
    asked.sent(outlook(experienced()), None)
    for text in ("one", "two"):
        asked.heard(Chunk(content=text))
    asked.heard(Chunk(finish_reason="stop", usage=Usage(prompt_tokens=5, completion_tokens=count)))
    asked.ended(Outcome.OK)
    assert asked.measures.usage is None
    assert asked.measures.run() is None
    assert asked.measures.completion_tokens == 2


# On its way


def test_what_it_waited_is_not_held_against_it():
    """Forecasts are counted from when it was asked; the machine got it only half a minute later."""
    late = passage()
    waits(late, 30.0)
    late.sent(outlook(experienced()), None)
    said = late.forecast()
    assert said.first_token.p50_s == pytest.approx(32.0, rel=0.05)
    assert said.first_token.p50_s < said.first_token.p90_s + 1e-9 < 40.0
    assert said.end.p50_s > said.first_token.p50_s


def test_while_it_loads_it_is_counted_from_when_loading_began():
    experience = experienced()
    for _ in range(10):
        experience.learn_load(MODEL, HOME, 60.0)
    late = passage()
    waits(late, 30.0)
    late.measures.expects(outlook(experience, needs_loading=True))
    late.enter(Stage.LOADING)
    assert late.forecast().first_token.p50_s == pytest.approx(92.0, rel=0.1)


def test_how_much_exo_has_to_read_is_believed_at_once():
    """A prompt that is in exo's cache is hardly read at all."""
    asked = passage("word " * 80_000)
    asked.sent(outlook(experienced(), text="word " * 80_000), None)
    guessed = asked.forecast().first_token.p50_s
    asked.heard(Chunk(progress=Progress(0, 1000)))
    assert guessed > 100
    assert asked.forecast().first_token.p50_s == pytest.approx(2.0, rel=0.2)


def test_the_further_it_has_read_the_narrower_it_is():
    asked = passage("word " * 7_999)
    asked.sent(outlook(experienced(), text="word " * 7_999), None)
    waits(asked, 10.0)
    spreads = []
    for done in (0, 4096, 8192):
        asked.heard(Chunk(progress=Progress(done, 10_000)))
        spreads.append(asked.forecast().first_token.spread_s)
    assert spreads[0] > spreads[1] > spreads[2]


def test_once_a_token_came_its_time_is_known():
    asked = passage()
    asked.sent(outlook(experienced()), None)
    waits(asked, 5.0)
    asked.heard(Chunk(content="So"))
    said = asked.forecast().first_token
    assert said.p50_s == said.p90_s == pytest.approx(5.0, abs=0.5)
    assert asked.forecast().end.p50_s > 5.0


def test_it_is_learned_by_what_truly_was_in_the_prompt():
    asked = passage()
    asked.sent(outlook(experienced()), None)
    asked.heard(Chunk(progress=Progress(0, 4)))
    asked.heard(Chunk(content="So"))
    asked.heard(Chunk(content=" be it", finish_reason="length", usage=Usage(1234, 2, 1230)))
    asked.ended(Outcome.OK)
    learned = asked.measures.run()
    assert (learned.ask.prompt_tokens, learned.ask.cached_tokens) == (1234, 1230)
    assert learned.cut
    assert not learned.ask.needs_loading


@pytest.mark.parametrize(
    ("seconds", "came"), [(1.0, "within_p50"), (3.0, "within_p90"), (60.0, "beyond")]
)
def test_whether_a_forecast_held_is_counted(seconds, came):
    asked = passage()
    asked.model_id = f"org/{came}"
    asked.sent(outlook(experienced()), None)
    waits(asked, seconds)
    asked.heard(Chunk(content="So"))
    asked.ended(Outcome.OK)
    metrics_gateway.count(asked)
    counted = f'fleetweb_forecasts_total{{came="{came}",model="org/{came}",until="first_token"}}'
    assert f"{counted} 1.0" in metrics_gateway.exposition().decode()


@pytest.mark.parametrize("pieces", [[], [Chunk(content="So", usage=Usage(10, 1))]])
def test_an_answer_that_did_not_stream_teaches_nothing(pieces):
    asked = passage()
    asked.sent(outlook(Experience()), None)
    for piece in pieces:
        asked.heard(piece)
    asked.ended(Outcome.OK)
    assert asked.measures.run() is None


# In the house


@pytest.mark.django_db(transaction=True)
async def test_it_learns_from_answers_and_says_so_of_the_next(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        assert gateway.fleet.experience.gaps_of(SMALL) is None
        for number in range(6):
            told = await ask(gateway, prompt(f"number {number}", max_tokens=60))
        cluster = told.passage.cluster
        learned = gateway.fleet.experience
        assert learned.gaps_of(SMALL).histograms
        asked = prompt("Name a tree.", max_tokens=60)
        said = learned.outlook(asked, SMALL, cluster, ahead=0, needs_loading=False)
        assert said.forecast(Come(0.0)).end.p50_s > 0


@pytest.mark.django_db(transaction=True)
async def test_what_failed_or_was_cancelled_teaches_nothing(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        asking = asyncio.create_task(ask(gateway, prompt(max_tokens=4000)))
        await until(lambda: any(p.measures.tokens > 5 for p in gateway.desk.passages.values()))
        (request_id,) = gateway.desk.passages
        await gateway.desk.cancel(request_id)
        assert (await asking).error is not None
        assert gateway.fleet.experience.gaps_of(SMALL) is None


@pytest.mark.django_db(transaction=True)
async def test_the_next_process_recalls_what_this_one_saw(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        for number in range(6):
            told = await ask(gateway, prompt(f"number {number}", max_tokens=60))
        cluster = told.passage.cluster
        anew = Experience()
        await anew.recall()
        asked = prompt("Name a tree.", max_tokens=60)
        before = gateway.fleet.experience.outlook(
            asked, SMALL, cluster, ahead=0, needs_loading=False
        )
        after = anew.outlook(asked, SMALL, cluster, ahead=0, needs_loading=False)
        first = [o.forecast(Come(0.0)).first_token.p50_s for o in (before, after)]
        assert first[1] == pytest.approx(first[0], rel=0.5)


@pytest.mark.django_db(transaction=True)
async def test_what_was_answered_elsewhere_or_from_memory_is_not_recalled(db):
    row = RequestMetric(
        id="one",
        asked_at=timezone.now(),
        status=Outcome.OK.value,
        process="p",
        caller="me",
        model_asked=MODEL,
        model=MODEL,
        provider="exo",
        cluster=HOME,
        ttft_ms=2000.0,
        latency_ms=12_000.0,
        prompt_tokens=1000,
        completion_tokens=100,
    )
    rows = [
        row,
        _changed(row, id="cached", cached=True),
        _changed(row, id="cloud", provider="claude"),
        _changed(row, id="failed", status=Outcome.FAILED.value),
        _changed(row, id="whole", ttft_ms=None),
    ]
    await in_database(lambda: RequestMetric.objects.bulk_create(rows))
    recalled = Experience()
    await recalled.recall()
    assert outlook(recalled).pace.measure("writing").count == 1


@pytest.mark.django_db(transaction=True)
async def test_the_longest_silence_is_not_forgotten_with_the_process(db):
    row = RequestMetric(
        id="one",
        asked_at=timezone.now(),
        status=Outcome.OK.value,
        process="p",
        caller="me",
        model_asked=MODEL,
        model=MODEL,
        provider="exo",
        cluster=HOME,
        ttft_ms=2000.0,
        latency_ms=92_000.0,
        longest_gap_ms=40_000.0,
        prompt_tokens=900,
        completion_tokens=100,
    )
    await in_database(row.save)
    recalled = Experience()
    await recalled.recall()
    recalled.learn_gaps(MODEL, [Gap(Phase.ANSWERING, 0.1, 900)] * 400)
    known = recalled.gaps_of(MODEL)
    assert known.longest_s(Phase.ANSWERING, 900) == pytest.approx(40.0)
    assert known.longest_s(Phase.THINKING, 900) is None  # one alone says nothing


def _changed(row, **fields):
    values = {f.attname: getattr(row, f.attname) for f in RequestMetric._meta.concrete_fields}
    return RequestMetric(**(values | fields))
