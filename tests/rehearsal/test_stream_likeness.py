"""Streams beside exo's, event form by event form."""

import json
import re
from typing import Any

import pytest

from fleetweb.rehearsal import LARGE, SMALL, Fault, FaultKind, Rehearsal
from tests.recordings import RECORDINGS, load, needs_recordings

from .asking import Caller, chunks, prompt, said
from .likeness import differences, missing, shape

pytestmark = needs_recordings

_COMMENT = re.compile(r": ([a-z_-]+)(?: (\{.*\}))?")


def recorded(name: str) -> list[str]:
    return [e for e in (RECORDINGS / name).read_text().split("\n\n") if e.strip()]


def form(event: str) -> str:
    """Which of exo's event forms this is."""
    if found := _COMMENT.fullmatch(event):
        return found[1]
    data = event.removeprefix("data: ")
    if data == "[DONE]":
        return data
    chunk = json.loads(data)
    if "error" in chunk:
        return "error"
    (choice,) = chunk["choices"]
    (said_as,) = set(choice["delta"]) - {"role"}
    return f"last {said_as}" if "finish_reason" in choice else said_as


def body(event: str) -> Any:
    found = _COMMENT.fullmatch(event)
    data = found[2] if found else event.removeprefix("data: ")
    return json.loads(data) if data and data != "[DONE]" else None


def order(events: list[str]) -> list[str]:
    """The forms in order, repeats counted once."""
    forms = [form(event) for event in events]
    return [f for n, f in enumerate(forms) if n == 0 or f != forms[n - 1]]


def assert_alike(events: list[str], name: str) -> None:
    exos = recorded(name)
    assert order(events) == order(exos)
    for one in set(map(form, exos)):
        ours = shape(body(e) for e in events if form(e) == one)
        theirs = shape(body(e) for e in exos if form(e) == one)
        assert differences(ours, theirs) == []
        assert missing(ours, theirs) == []


@pytest.fixture(autouse=True)
async def placed(fleet: Rehearsal) -> None:
    await fleet.place(SMALL, nodes=["soldier1"])


async def test_stream_is_exos(caller: Caller) -> None:
    events = [e async for e in caller.events(prompt(max_tokens=24))]
    assert_alike(events, "chat-stream.sse")


async def test_stream_that_ends_by_itself_is_exos(caller: Caller) -> None:
    events = [e async for e in caller.events(prompt())]
    assert_alike([*events[:3], *events[-3:]], "chat-stream-stop.sse")
    assert chunks(events)[-1]["choices"][0]["finish_reason"] == "stop"


async def test_thinking_stream_is_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1", "soldier2"])
    events = [e async for e in caller.events(prompt(model=LARGE))]
    forms = order(events)
    assert forms == [
        "keep-alive",
        "prefill_progress",
        "reasoning_content",
        "content",
        "last content",
        "generation_stats",
        "[DONE]",
    ]
    thought = recorded("chat-stream-thinking.sse")
    ours = shape(body(e) for e in events if form(e) == "reasoning_content")
    theirs = shape(body(e) for e in thought if form(e) == "reasoning_content")
    assert differences(ours, theirs) == []


async def test_logprobs_are_exos(caller: Caller) -> None:
    asked = prompt(max_tokens=5, logprobs=True, top_logprobs=2)
    assert_alike([e async for e in caller.events(asked)], "chat-stream-logprobs.sse")


async def test_stream_of_a_failing_runner_is_exos(caller: Caller) -> None:
    events = [e async for e in caller.events(prompt("EXO RUNNER MUST FAIL"))]
    assert events == recorded("chat-stream-runner-must-fail.sse")


async def test_cancelled_stream_ends_without_a_word_as_exos(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier3"])
    events: list[str] = []
    async for event in caller.events(prompt("a long story", LARGE, max_tokens=900)):
        events.append(event)
        if form(event) == "reasoning_content" and events.count("cancelled") == 0:
            command_id = body(event)["id"]
            answer = await caller.post(f"/v1/cancel/{command_id}")
            assert answer.json() == {"message": "Command cancelled.", "command_id": command_id}
            break
    assert order(recorded("chat-stream-cancelled.sse"))[-1] == "content"
    assert order(events)[-1] == "reasoning_content"


async def test_stream_of_a_deleted_instance_ends_without_a_word(
    fleet: Rehearsal, caller: Caller
) -> None:
    instance_id = await fleet.place(LARGE, nodes=["soldier3"])
    events: list[str] = []
    async for event in caller.events(prompt("a long story", LARGE)):
        events.append(event)
        if len(events) == 12:
            fleet.remove(instance_id)
    assert order(recorded("chat-stream-instance-deleted.sse"))[-1] == "content"
    assert order(events)[-1] in ("reasoning_content", "content")
    assert "last content" not in order(events)


async def test_head_of_a_stream_is_exos(fleet: Rehearsal, caller: Caller) -> None:
    head = (RECORDINGS / "chat-stream.head.txt").read_text().split("\n\n")[0].lower()
    theirs = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    url = fleet.urls[0] + "/v1/chat/completions"
    async with caller.client.stream("POST", url, json=prompt(stream=True)) as answer:
        ours = dict(answer.headers)
    theirs["date"] = ours["date"]
    assert ours == theirs


async def test_long_prompt_is_read_in_steps_of_4096_tokens(caller: Caller) -> None:
    events = [e async for e in caller.events(prompt("garden " * 6000, max_tokens=1))]
    marks = [body(e)["PrefillProgressChunk"] for e in events if form(e) == "prefill_progress"]
    total = marks[-1]["total_tokens"]
    assert [m["processed_tokens"] for m in marks] == [0, 4096, 8192, total - 1, total]


async def test_silence_is_kept_alive(fleet: Rehearsal, caller: Caller) -> None:
    fleet.inject(Fault(FaultKind.TOKENS_STALL, for_s=35))
    events = [e async for e in caller.events(prompt(max_tokens=5))]
    assert [form(e) for e in events].count("keep-alive") >= 3
    assert form(events[-1]) == "[DONE]"


async def test_answer_in_one_piece_is_exos(caller: Caller) -> None:
    answer = await caller.chat(prompt(max_tokens=24))
    theirs = load("chat-nonstream.json")
    assert set(answer.headers) == set(theirs["headers"])
    assert missing(shape([answer.json()]), shape([theirs["body"]])) == []
    assert differences(shape([answer.json()]), shape([theirs["body"]])) == []


async def test_thinking_answer_in_one_piece_is_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier3"])
    answer = (await caller.chat(prompt(model=LARGE))).json()
    theirs = load("chat-nonstream-thinking.json")["body"]
    assert missing(shape([answer]), shape([theirs])) == []
    assert differences(shape([answer]), shape([theirs])) == []


async def test_answer_in_one_piece_of_a_failing_runner_is_200_and_empty(caller: Caller) -> None:
    answer = await caller.chat(prompt("EXO RUNNER MUST FAIL"))
    theirs = load("chat-nonstream-runner-must-fail.json")
    assert (answer.status_code, answer.text) == (theirs["status"], theirs["body"])


async def test_repeated_prompt_is_found_in_the_cache(caller: Caller) -> None:
    first = [e async for e in caller.events(prompt("the same words again", max_tokens=3))]
    again = [e async for e in caller.events(prompt("the same words again", max_tokens=3))]
    hits = [body(events[-2])["prefix_cache_hit"] for events in (first, again)]
    assert hits == ["none", "exact"]
    assert said(first) != ""
