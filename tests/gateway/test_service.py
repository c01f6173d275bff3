"""The gateway before a rehearsed fleet: one answer or one clear error, and all of it remembered."""

import asyncio
import re
from decimal import Decimal

import pytest
from django.utils import timezone

from fleetweb.core.admission import Admission
from fleetweb.core.streams import Stage
from fleetweb.errors import ModelUnknown, NoCandidate, ProviderReplyInvalid, ProviderUnavailable
from fleetweb.fleet import live, worker
from fleetweb.gateway.caller import Caller, Reach
from fleetweb.gateway.desk import GROUP, Cancelled
from fleetweb.gateway.models import GatewayProcess, RequestMetric, RequestText, RoutingRecord
from fleetweb.rehearsal import LARGE, SMALL, Fault, FaultKind, Rehearsal
from fleetweb.upstream.providers import ProviderConfig, make_provider
from tests.fleet.watching import in_database
from tests.rehearsal.waiting import until
from tests.upstream.providers.dialects import CLAUDE
from tests.upstream.providers.fake import Fake, serving

from .house import ME, ask, house, loaded, prompt

pytestmark = pytest.mark.django_db(transaction=True)


async def row(request_id):
    return await in_database(lambda: RequestMetric.objects.get(pk=request_id))


async def routing(request_id):
    return await in_database(lambda: RoutingRecord.objects.get(pk=request_id))


def ollama_at(fake):
    return {"ollama": make_provider("ollama", ProviderConfig(fake.url, default_model="llama3"))}


async def test_an_answer_is_in_the_history_when_its_last_piece_is_out(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        told = await ask(gateway, prompt())
        kept = await row(told.passage.id)
        why = await routing(told.passage.id)
    assert told.error is None
    assert told.tokens == 8
    assert (kept.status, kept.provider, kept.node, kept.nodes) == (
        "ok",
        "exo",
        "soldier1",
        ["soldier1"],
    )
    assert kept.cost_usd == Decimal(0)
    assert 0 < kept.ttft_ms < kept.latency_ms
    assert kept.completion_tokens == 8
    assert why.reason.startswith("model_loaded: soldier1 holds Llama-3.2-8B")
    assert {c["node"] for c in why.candidates} == {"king", "soldier1", "soldier2", "soldier3"}
    assert [attempt["error"] for attempt in why.attempts] == [None]


async def test_no_text_is_kept_unless_somebody_asked_for_it(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        await ask(gateway, prompt("the canary sings"))
        assert await in_database(RequestText.objects.count) == 0
        kept = await ask(gateway, prompt("keep\0this"), Caller("me", keeps_text=True))
        text = await in_database(RequestText.objects.get)
    assert text.messages == [{"role": "user", "content": "keep\ufffdthis"}]
    assert text.answer == kept.text


async def test_the_next_door_answers_where_the_first_says_nothing(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        fleet.inject(Fault(FaultKind.EMPTY_ANSWER, count=1))
        told = await ask(gateway, prompt())
        why = await routing(told.passage.id)
    assert told.error is None
    assert told.tokens == 8
    assert [bool(attempt["error"]) for attempt in why.attempts] == [True, False]
    assert why.attempts[0]["endpoint"] != why.attempts[1]["endpoint"]


async def test_a_door_that_dies_before_the_first_word_is_replaced(fleet, ollama):
    """By another door, or where presence knows already that none is left by who stands in."""
    async with house([fleet], ollama_at(ollama)) as gateway:
        await loaded(SMALL)
        door = (await gateway.plan(prompt(), ME)).node
        assert door == "soldier1"
        asking = asyncio.create_task(ask(gateway, prompt("word " * 20_000)))
        await until(lambda: any(p.stage is Stage.READING for p in gateway.desk.passages.values()))
        fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=SMALL))
        told = await asking
        why = await routing(told.passage.id)
    assert told.error is None
    assert told.tokens
    first, *_, last = why.attempts
    assert first["error"]
    assert last["error"] is None
    assert first["endpoint"] != last["endpoint"]


async def test_whoever_stands_in_answers_when_the_fleet_can_not(fleet, ollama):
    async with house([fleet], ollama_at(ollama)) as gateway:
        told = await ask(gateway, prompt(model="no-such-model"))
        why = await routing(told.passage.id)
    assert told.error is None
    assert told.text.endswith("Hello ✓")
    assert (told.passage.provider, told.passage.model_id) == ("ollama", "tiny:1b")  # what answered
    assert why.decision == "fallback"
    assert "no-such-model" in why.reason


async def test_the_next_in_line_is_asked_until_one_answers(fleet, ollama):
    ollama.status = 500
    async with (
        serving(Fake(status=429, headers={"retry-after": "7"})) as gemini,
        serving(Fake(steps=CLAUDE.whole)) as claude,
        house([fleet], {**ollama_at(ollama), **clouds(gemini.url, claude.url)}) as gateway,
    ):
        await loaded(SMALL)
        fleet.inject(Fault(FaultKind.EMPTY_ANSWER, count=3))
        told = await ask(gateway, prompt())
        kept = await row(told.passage.id)
    tried = [attempt.provider for attempt in told.passage.attempts]
    assert told.error is None
    assert tried == ["exo", "exo", "exo", "ollama", "gemini", "claude"]
    assert (kept.provider, kept.attempts, kept.status) == ("claude", 6, "ok")
    assert told.text.count("Hello") == 1


def clouds(gemini_url, claude_url):
    urls = {"gemini": gemini_url, "claude": claude_url}
    return {
        kind: make_provider(kind, ProviderConfig(url, default_model=f"{kind}-1", api_key="k"))
        for kind, url in urls.items()
    }


@pytest.mark.parametrize("reach", [Reach.NONE, Reach.LOCAL])
async def test_a_prompt_stays_where_its_caller_wants_it(fleet, ollama, reach):
    claude = make_provider("claude", ProviderConfig(ollama.url, default_model="c", api_key="k"))
    async with house([fleet], {"claude": claude}) as gateway:
        told = await ask(gateway, prompt(model="no-such-model"), Caller("me", reach=reach))
    assert isinstance(told.error, ModelUnknown)
    assert ollama.received == []


async def test_nothing_is_said_twice_after_the_first_word(fleet, ollama):
    async with house([fleet], ollama_at(ollama)) as gateway:
        await loaded(SMALL)
        fleet.inject(Fault(FaultKind.STREAM_CUT, count=1, after_tokens=3))
        told = await ask(gateway, prompt())
        kept = await row(told.passage.id)
    assert isinstance(told.error, ProviderReplyInvalid)
    assert told.tokens == 3
    assert ollama.received == []
    assert (kept.status, kept.attempts) == ("failed", 1)


async def test_an_exact_repeat_is_answered_from_memory(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        first = await ask(gateway, prompt(temperature=0))
        asked = fleet.chat_requests
        again = await ask(gateway, prompt(temperature=0))
        afresh = await ask(gateway, prompt(temperature=0), Caller("me", skips_cache=True))
        kept = await row(again.passage.id)
    assert again.text == first.text
    assert fleet.chat_requests == asked + 1
    assert (again.passage.cached, afresh.passage.cached) == (True, False)
    assert (kept.status, kept.cached, kept.cost_usd) == ("ok", True, Decimal(0))


async def test_identical_requests_in_hand_share_one_answer(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        asked = fleet.chat_requests
        all_told = await asyncio.gather(*(ask(gateway, prompt(seed=7)) for _ in range(5)))
    assert fleet.chat_requests == asked + 1
    assert len({told.text for told in all_told}) == 1
    assert sorted(told.passage.cached for told in all_told) == [False, True, True, True, True]


async def test_one_of_those_who_share_may_leave_and_the_others_get_their_answer(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        request = prompt(seed=8, max_tokens=60)
        leader = asyncio.create_task(ask(gateway, request))
        await until(lambda: any(p.has_spoken for p in gateway.desk.passages.values()))
        follower = asyncio.create_task(ask(gateway, request))
        await until(lambda: len(gateway.desk.passages) == 2)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        told = await follower
    assert told.error is None
    assert told.tokens == 60


async def test_who_comes_when_all_turns_are_taken_waits_and_then_is_answered(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        (cluster,) = (c.name for c in (await live.current()).clusters)
        gateway.router.turns._admissions[cluster] = Admission(max_in_hand=1, max_waiting=1)
        first = asyncio.create_task(ask(gateway, prompt("first", max_tokens=400)))
        await until(lambda: any(p.has_spoken for p in gateway.desk.passages.values()))
        second = asyncio.create_task(ask(gateway, prompt("second")))
        await until(lambda: any(p.position == 1 for p in gateway.desk.passages.values()))
        third = await ask(gateway, prompt("third"))
        told = await asyncio.gather(first, second)
        kept = await row(third.passage.id)
    assert [one.error for one in told] == [None, None]
    assert isinstance(third.error, ProviderUnavailable)
    assert (third.error.status, kept.status) == (429, "refused")
    assert third.error.retry_after_s >= 1


async def test_a_cancel_from_the_control_room_stops_exos_runner(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        asking = asyncio.create_task(ask(gateway, prompt(max_tokens=4000)))
        await until(lambda: any(p.has_spoken for p in gateway.desk.passages.values()))
        (request_id,) = gateway.desk.passages
        await gateway.desk.cancel(request_id)
        told = await asking
        kept = await row(request_id)
        await until(lambda: fleet.tasks[-1].status == "Cancelled")
    assert isinstance(told.error, Cancelled)
    assert kept.status == "cancelled"


async def test_others_are_heard_again_after_the_layer_broke_down(fleet, monkeypatch):
    class Broken:
        async def new_channel(self) -> str:
            raise ConnectionError("Redis is gone")

        async def send(self, *_: object) -> None:
            raise ConnectionError("Redis is gone")

    async with house([fleet]) as gateway:
        await loaded(SMALL)
        with monkeypatch.context() as broken:
            broken.setattr(worker, "layer", Broken)
            await ask(gateway, prompt())
        asking = asyncio.create_task(ask(gateway, prompt(max_tokens=4000)))
        await until(lambda: any(p.has_spoken for p in gateway.desk.passages.values()))
        (request_id,) = gateway.desk.passages
        await worker.layer().group_send(GROUP, {"type": "request.cancel", "id": request_id})
        told = await asking
    assert isinstance(told.error, Cancelled)


async def test_a_caller_who_goes_away_frees_exo(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        asking = asyncio.create_task(ask(gateway, prompt(max_tokens=4000)))
        await until(lambda: any(p.has_spoken for p in gateway.desk.passages.values()))
        (request_id,) = gateway.desk.passages
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: fleet.tasks[-1].status == "Cancelled")

        async def cancelled():
            kept = await in_database(RequestMetric.objects.filter(pk=request_id).first)
            return kept is not None and kept.status == "cancelled"

        await until(cancelled)
        assert gateway.desk.passages == {}


async def test_a_model_that_fits_is_loaded_and_then_answers(fleet):
    stages = set()
    async with house([fleet]) as gateway:
        asking = asyncio.create_task(ask(gateway, prompt(model=LARGE)))

        async def seen():
            stages.update(p.stage for p in gateway.desk.passages.values())
            return asking.done()

        await until(seen, 60)
        told = await asking
        kept = await row(told.passage.id)
    assert told.error is None
    assert Stage.LOADING in stages
    assert kept.loading_ms > 0
    assert len(kept.nodes) >= 1


async def test_a_model_that_does_not_fit_is_refused_with_figures():
    async with Rehearsal(nodes=1, speed=20.0) as alone, house([alone]) as gateway:
        told = await ask(gateway, prompt(model="Kimi-K2-Thinking"))
    assert isinstance(told.error, NoCandidate)
    assert re.search(
        r"Kimi-K2-Thinking needs about \d+ GB and the fleet has \d+ GB free", str(told.error)
    )


async def test_what_a_dead_process_left_open_is_marked_interrupted(fleet):
    lost = RequestMetric(
        id="req_lost",
        asked_at=timezone.now(),
        status="running",
        process="elsewhere:1:gone",
        caller="me",
        model_asked="auto",
    )
    await in_database(lost.save)
    silent = GatewayProcess(
        name="elsewhere:1:gone", seen_at=lost.asked_at - 10 * GatewayProcess.SILENT_AFTER
    )
    await in_database(silent.save)
    async with house([fleet]):

        async def interrupted():
            return (await row("req_lost")).status == "interrupted"

        await until(interrupted)
