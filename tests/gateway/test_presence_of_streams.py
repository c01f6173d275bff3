"""What a stream through the gateway shows is on every machine that works for it, while it lasts."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from fleetweb.core.presence import CognitiveState
from fleetweb.core.streams import Stage
from fleetweb.fleet import live
from fleetweb.rehearsal import FRONTIER, LARGE, Fault, FaultKind, Rehearsal
from tests.fleet.watching import shown
from tests.rehearsal.waiting import until

from .house import ask, house, loaded, prompt

pytestmark = pytest.mark.django_db(transaction=True)

SPEED = 20.0
WORKING = ("soldier1", "soldier2")
STORY = "Tell me a long story."
ALARMS = {"silent", "circling", "resolving", "grappling"}


@asynccontextmanager
async def a_room(model=LARGE, nodes=WORKING, *, speed=SPEED):
    """A fleet with one model over two machines, watched, and a gateway before it."""
    async with Rehearsal(speed=speed) as fleet:
        await fleet.place(model, nodes=list(nodes))
        async with house([fleet]) as gateway:
            await loaded(model)
            yield fleet, gateway


@asynccontextmanager
async def asking(gateway, text=STORY, model=LARGE, **params):
    """A request under way; it is given up when the test is through with it."""
    request = prompt(text, model, **{"max_tokens": 4000, **params})
    task = asyncio.create_task(ask(gateway, request))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def of(presence):
    return {node.name: node.load.state.value for node in presence.nodes}


def all_show(state, names=WORKING):
    return lambda presence: {of(presence)[name] for name in names} == {state}


def nobody_shows(*states):
    return lambda presence: not set(of(presence).values()) & set(states)


class Diary:
    """Everything that is published while it is kept."""

    def __init__(self):
        self.moments = []

    async def keep(self):
        while True:
            presence = await live.current()
            if presence and (not self.moments or self.moments[-1].sequence < presence.sequence):
                self.moments.append(presence)
            await asyncio.sleep(0.02)

    def states(self, name):
        """One after the other, each once."""
        seen = [of(presence)[name] for presence in self.moments if presence.node(name)]
        return [s for n, s in enumerate(seen) if n == 0 or seen[n - 1] != s]


@asynccontextmanager
async def diary():
    kept = Diary()
    task = asyncio.create_task(kept.keep())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("fault", "state", "says", "signal"),
    [
        (
            FaultKind.THINKING_CONTRADICTS,
            "grappling",
            f"Grappling with contradiction in: {STORY}",
            "contradiction_likelihood",
        ),
        (
            FaultKind.THINKING_RECURSES,
            "resolving",
            f"Deep recursive thinking: {STORY}",
            "revisits",
        ),
        (FaultKind.THINKING_CIRCLES, "circling", "Going in circles", "cycle_start_char"),
    ],
)
async def test_scripted_doubt_is_read_right_and_goes_away(fault, state, says, signal):
    async with a_room(speed=3.0) as (fleet, gateway):
        fleet.inject(Fault(fault, model=LARGE))
        async with asking(gateway):
            seen = await shown(all_show(state))
            for name in WORKING:
                load = seen.node(name).load
                assert load.sentence.startswith(says)
                assert load.evidence[0].source == "stream"
                assert signal in {fact.signal for fact in load.evidence}
            others = {name for name, shows in of(seen).items() if shows == state}
            assert others == set(WORKING)
            (stream,) = seen.streams
            facts = seen.node(WORKING[0]).load.evidence
            assert facts[: len(stream.evidence)] == stream.evidence  # what it was judged by
            answering = await shown(lambda p: p.streams[0].stage is Stage.ANSWERING)
            assert answering.streams
            assert all_show("processing")(await shown(nobody_shows(state)))
        assert all_show("idle")(await shown(all_show("idle")))


async def test_reading_says_how_far_it_is_and_its_forecast_tightens():
    async with a_room() as (_, gateway), diary() as kept:
        for number in range(3):  # something to expect by
            await ask(gateway, prompt(f"{number} {'word ' * 1000}", LARGE))
        async with asking(gateway, "word " * 20_000):
            await shown(lambda p: p.streams and p.streams[0].tokens > 5)
    long = [p for p in kept.moments if p.streams and (p.streams[-1].total or 0) > 20_000]
    reading = [p for p in long if of(p)[WORKING[0]] == "reading" and p.streams[-1].done]
    done = [p.streams[-1].done for p in reading]
    assert len(set(done)) >= 4
    assert done == sorted(done)
    for moment in reading:
        stream = moment.streams[-1]
        percent = 100 * stream.done // stream.total
        said = f"Reading your prompt: {percent} % of {stream.total:,} tokens."
        assert {moment.node(name).load.sentence for name in WORKING} == {said}
    forecasts = [p.streams[-1].forecast.first_token for p in reading]
    assert all(forecasts)
    assert forecasts[-1].spread_s < forecasts[0].spread_s / 2
    first = (forecasts[-1].p50_s, forecasts[-1].p90_s)
    took_s = kept.moments[-1].streams[0].forecast.first_token.p50_s
    assert first[0] <= took_s * 1.5
    assert took_s <= first[1] * 1.5


async def test_a_stall_is_a_silence_longer_than_was_learned():
    async with a_room() as (fleet, gateway):
        for number in range(10):  # of thinking and of answering: nobody knows where it will stall
            await ask(gateway, prompt(f"number {number}", LARGE, max_tokens=200))
        async with asking(gateway):
            await shown(lambda p: p.streams and p.streams[0].tokens > 20)
            fleet.inject(Fault(FaultKind.TOKENS_STALL, model=LARGE, for_s=60 * SPEED))
            seen = await shown(all_show("silent"))
            for name in WORKING:
                load = seen.node(name).load
                assert load.sentence.startswith("Silent for 1")
                assert "; its longest silence here was " in load.sentence
                gap = load.evidence[0]
                assert (gap.signal, gap.source) == ("gap_ms", "stream")
                assert gap.value > 10_000 > gap.baseline > 0
                assert "gpu_usage" in {fact.signal for fact in load.evidence}
            assert seen.state is CognitiveState.SILENT
            idle = await shown(lambda p: "It may be stuck." in p.node("soldier1").load.sentence)
            assert idle.node("soldier1").exo.gpu_usage < 0.5
        assert await shown(nobody_shows("silent"))


async def test_a_stall_of_a_model_nobody_knows_is_given_time():
    async with a_room() as (fleet, gateway), diary() as kept, asking(gateway):
        await shown(lambda p: p.streams and p.streams[0].tokens > 5)
        fleet.inject(Fault(FaultKind.TOKENS_STALL, model=LARGE, for_s=2 * SPEED))
        before = (await live.current()).streams[0].tokens
        await shown(lambda p: p.streams[0].tokens > before + 20)
    assert "silent" not in kept.states(WORKING[0])


async def test_a_stream_that_waits_for_another_prompt_says_so():
    """The rehearsal reads and writes at once, so the writer is stalled here while one is read."""
    async with a_room(speed=4.0) as (fleet, gateway), asking(gateway):
        await shown(lambda p: p.streams and p.streams[0].tokens > 5)
        async with asking(gateway, "word " * 40_000):
            await shown(lambda p: len(p.streams) == 2 and p.streams[1].done)
            fleet.inject(Fault(FaultKind.TOKENS_STALL, model=LARGE, for_s=60))
            seen = await shown(
                lambda p: p.node("soldier1").load.sentence.startswith("Waiting while another ")
            )
            total = seen.streams[1].total
            said = f"Waiting while another {total:,}-token prompt is read."
            assert {seen.node(name).load.sentence for name in WORKING} == {said}
            assert seen.node("soldier1").load.evidence[0].value == seen.streams[1].done


async def test_a_runner_that_fails_in_a_stream_is_said_to_have_stumbled():
    async with a_room(speed=2.0) as (fleet, gateway), asking(gateway) as answer:
        await shown(lambda p: p.streams and p.streams[0].tokens > 5)
        fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=LARGE))
        told = await answer
        assert told.error is not None
        seen = await shown(all_show("stumbled"))
        assert seen.streams == ()


async def test_a_slow_frontier_model_is_never_called_anything_but_at_work():
    """671B at ten tokens a second over the whole fleet: five minutes, lived in half a one."""
    names = ("king", "soldier1", "soldier2", "soldier3")
    async with a_room(FRONTIER, names, speed=10.0) as (_, gateway), diary() as kept:
        told = await ask(gateway, prompt("word " * 9_000, FRONTIER, max_tokens=300))
        assert told.error is None
    for name in names:
        states = kept.states(name)
        assert not ALARMS & set(states)
        assert [s for s in states if s != "idle"][:2] == ["reading", "processing"]


async def test_a_cancel_in_the_control_room_stops_exos_runner():
    async with a_room(speed=1.0) as (fleet, gateway), asking(gateway) as answer:
        await shown(lambda p: p.streams and p.streams[0].tokens > 2)
        (request_id,) = gateway.desk.passages
        await gateway.desk.cancel(request_id)
        told = await answer
        assert str(told.error) == "Cancelled from the control room."
        await until(lambda: not fleet.node("soldier1").is_busy)
        assert [task.status for task in fleet.tasks] == ["Cancelled"]
        assert await shown(lambda p: not p.streams and all_show("idle")(p))
