"""Following a run: whoever comes late, loses the line or is elsewhere catches up."""

import asyncio
import re

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.db import OperationalError

from fleetweb.core.streams import Outcome
from fleetweb.gateway.recorder import Recorder
from fleetweb.web.models import PlaygroundAnswer
from fleetweb.web.playground import journal, shelf
from fleetweb.web.playground.consumer import RunConsumer
from fleetweb.web.playground.telling import MESSAGE_CHARS, group_of
from tests.scripted_exo import DONE, HOLD, PAUSE, USAGE, event

from .playground_house import ASK, Follower, answered, answers, ask, playground, saying, visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("exo")]

END = event({"content": " End."}, finish_reason="stop", usage=USAGE)
OVER = "data-over"


@pytest.fixture
async def exo():
    async with playground() as exo:
        yield exo


async def user(name: str = "ada") -> User:
    return await User.objects.aget(username=name)


async def version_on(client, run: str) -> str:
    page = (await client.get(f"{ASK}{run}/")).content.decode()
    return re.search(r"\?have=(\w+)", page)[1]


async def test_the_whole_comes_first_and_then_what_grows(exo):
    exo.answers["Go on."] = (
        event({"reasoning_content": "Hmm."}),
        0.4,
        event({"content": "Yes"}),
        0.4,
        END,
        DONE,
    )
    ada = await visitor()
    run = await ask(ada, "Go on.")
    async with Follower(run, await user()) as follower:
        assert 'hx-target="#turns"' in await follower.hears("Go on.")
        await follower.hears("Hmm.")
        await follower.hears(OVER)
        assert any("Yes End." in message for message in follower.heard)


async def test_a_page_that_has_it_all_is_sent_nothing(exo):
    ada = await visitor()
    run = await ask(ada, "Hi.")
    await answered(run)
    async with Follower(run, await user(), await version_on(ada, run)) as follower:
        exo.answers["More."] = (HOLD,)
        await ask(ada, "More.", at=f"{ASK}{run}/")
        await follower.hears("More.")
        assert len(follower.heard) == 1


async def test_a_page_that_is_behind_is_sent_the_whole(exo):
    exo.answers["Go on."] = (event({"content": "One."}), 0.5, END, DONE)
    ada = await visitor()
    run = await ask(ada, "Go on.")
    have = await version_on(ada, run)
    await answered(run)
    async with Follower(run, await user(), have) as follower:
        whole = await follower.hears("One. End.")
        assert 'hx-target="#turns"' in whole


async def test_whoever_missed_blocks_gets_the_whole(exo):
    exo.answers["Go on."] = (event({"content": "One.\n\nTwo.\n\nThree"}), HOLD)
    ada = await visitor()
    run = await ask(ada, "Go on.")
    await saying(run, "Three")
    (answer,) = await answers(run)
    async with Follower(run, await user()) as follower:
        await follower.hears("Three")
        text = {"from": 7, "blocks": ["<p>late</p>"], "tail": ""}
        nothing = {"from": 0, "blocks": [], "tail": ""}
        missed = {"answer": answer.pk, "request": answer.request_id, "pieces": {}, "over": False}
        message = {"type": "answer.moved", **missed, "thinking": nothing, "says": text}
        await get_channel_layer().group_send(group_of(run), message)
        whole = await follower.hears('hx-target="#turns"')
        assert "Three" in whole
        assert not any("late" in heard for heard in follower.heard)


async def test_a_megabyte_in_one_token_comes_in_messages_of_bounded_size(exo):
    exo.answers["Much."] = (event({"content": "fern " * 200_000}), 0.3, END, DONE)
    ada = await visitor()
    run = await ask(ada, "Much.")
    async with Follower(run, await user()) as follower:
        await follower.hears(OVER)
        sizes = [len(message) for message in follower.heard]
        assert max(sizes) < 2 * MESSAGE_CHARS
        assert sum(message.count("fern ") for message in follower.heard) < 500_000
    (answer,) = await answered(run)
    assert answer.text == "fern " * 200_000 + " End."
    async with Follower(run, await user()) as late:
        await late.hears(" End.")
        assert max(len(message) for message in late.heard) < 2 * MESSAGE_CHARS
        words = sum(len(re.findall("fern[ <]", message)) for message in late.heard)
        assert words == 200_000


async def test_every_follower_is_told_the_same(exo):
    exo.answers["Go on."] = (event({"content": "One"}), 0.5, END, DONE)
    ada = await visitor()
    run = await ask(ada, "Go on.")
    async with Follower(run, await user()) as one, Follower(run, await user()) as two:
        await asyncio.gather(one.hears("One End."), two.hears("One End."))


async def test_an_answer_that_nobody_writes_any_more_becomes_interrupted(exo):
    """Its process is elsewhere, and killed: its row says so once it has not been written."""
    ada = await visitor()
    run = await ask(ada, "Hi.")
    (answer,) = await answered(run)
    await PlaygroundAnswer.objects.filter(pk=answer.pk).aupdate(
        status=Outcome.RUNNING.value, standing={}
    )
    async with Follower(run, await user()) as follower:
        await follower.hears("Hello there.")
        await PlaygroundAnswer.objects.filter(pk=answer.pk).aupdate(seen_at="2020-01-01T00:00Z")
        await follower.hears("Interrupted")


async def test_a_deleted_run_says_so_and_does_not_come_back():
    ada = await visitor()
    run = await ask(ada, "Hi.")
    await answered(run)
    async with Follower(run, await user()) as follower:
        await ada.post(f"{ASK}delete/", {"run": run})
        await follower.hears("has been deleted")
        assert (await follower.socket.receive_output(15))["code"] == 4404


async def test_nobody_follows_the_runs_of_others():
    ada = await visitor()
    await visitor("eve")
    run = await ask(ada, "Hi.")
    await answered(run)
    async with Follower(run, await user("eve")) as follower:
        assert not follower.connected


async def test_a_retry_is_shown_in_place_of_what_failed(exo):
    exo.answers["Hi."] = (event({"content": "Old"}), HOLD)
    ada = await visitor()
    run = await ask(ada, "Hi.")
    await saying(run, "Old")
    async with Follower(run, await user()) as follower:
        await ada.post(f"{ASK}{run}/stop/", headers={"HX-Request": "true"})
        await follower.hears("Stopped.")
        (answer,) = await answered(run, Outcome.CANCELLED)
        del exo.answers["Hi."]
        await ada.post(f"{ASK}answers/{answer.pk}/retry/", headers={"HX-Request": "true"})
        await follower.hears("Hello there.")


async def test_sockets_are_closed_so_that_their_pages_come_back():
    ada = await visitor()
    run = await ask(ada, "Hi.")
    await answered(run)
    async with Follower(run, await user()) as follower:
        await RunConsumer.close_all()
        while (sent := await follower.socket.receive_output(15))["type"] != "websocket.close":
            pass
        assert sent["code"] == 4012


async def test_the_database_may_fail_for_a_while(exo, monkeypatch, caplog):
    kept, failures = shelf.write, iter([True] * 2)

    def write(*args: object, **texts: str) -> bool:
        if next(failures, False):
            raise OperationalError("database is locked")
        return kept(*args, **texts)

    monkeypatch.setattr(shelf, "write", write)
    ada = await visitor()
    (answer,) = await answered(await ask(ada, "Hi."))
    assert answer.text == "Hello there."
    assert caplog.text.count("is not written") == 1


async def test_its_end_is_told_when_it_is_written(exo, monkeypatch):
    committed = Recorder.committed

    async def late(self: Recorder, written: asyncio.Future[None]) -> None:
        await committed(self, written)
        await asyncio.sleep(2 * journal.TOLD_ANYWAY_S)

    monkeypatch.setattr(Recorder, "committed", late)
    ada = await visitor()
    run = await ask(ada, "Hi.")
    async with Follower(run, await user()) as follower:
        await follower.hears(OVER)
        (answer,) = await answers(run)
        assert (answer.is_over, answer.text) == (True, "Hello there.")


async def test_the_cache_may_fail_for_a_while(exo, monkeypatch):
    class Broken:
        async def current(self) -> None:
            raise ConnectionError("Redis is gone")

    exo.answers["Go on."] = (event({"content": "So far"}), PAUSE, END, DONE)
    ada = await visitor()
    run = await ask(ada, "Go on.")
    monkeypatch.setattr(journal, "live", Broken())
    await saying(run, "So far")
    monkeypatch.undo()
    await exo.go_on()
    (answer,) = await answered(run)
    assert answer.text == "So far End."
