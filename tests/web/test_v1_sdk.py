"""OpenAI's own client against `/v1`, unchanged, under both servers."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from fleetweb.rehearsal import SMALL
from tests.processes import Process, eventually
from tests.scripted_exo import CUT, DONE, HOLD, USAGE, InBackground, ScriptedExo, event, tokens

from .v1_door import DAPHNE, UVICORN, async_sdk, opened, say, sdk

CROWD = 200


@pytest.fixture(scope="module")
def exo() -> Iterator[ScriptedExo]:
    with InBackground(ScriptedExo()) as exo:
        yield exo


@pytest.fixture(scope="module", params=[DAPHNE, UVICORN])
def door(
    request: pytest.FixtureRequest, exo: ScriptedExo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    with opened(request.param, exo.url, tmp_path_factory.mktemp("sdk"), model=SMALL) as door:
        yield door


@pytest.fixture(autouse=True)
def _forget(exo: ScriptedExo) -> None:
    exo.gone.clear()


@pytest.fixture
def client(door: Process) -> Iterator[OpenAI]:
    with sdk(door.address()) as client:
        yield client


def complete(client: OpenAI, words: str = "hello", **wishes: Any) -> Any:
    return client.chat.completions.create(model=SMALL, messages=say(words), **wishes)


# --- answers --------------------------------------------------------------------------------------


def test_answers(client):
    answer = complete(client)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "Hello there."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.to_dict() == USAGE
    assert answer._request_id.startswith("req_")


def test_streams_in_the_standard_form(client):
    chunks = list(complete(client, stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.role for delta in deltas] == ["assistant", None]
    assert "".join(delta.content for delta in deltas) == "Hello there."
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "stop"]
    assert [chunk.usage for chunk in chunks] == [None, None]


def test_streams_usage_when_it_is_asked_for(client):
    chunks = list(complete(client, stream=True, stream_options={"include_usage": True}))
    *others, last = chunks
    assert last.choices == []
    assert last.usage.to_dict() == USAGE
    assert all(chunk.usage is None for chunk in others)


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture
def calling(exo: ScriptedExo) -> str:
    call = {"index": 0, "id": "call_1", "type": "function"}
    pieces = ('{"city":', ' "Ghent"}')
    first = event({"tool_calls": [{**call, "function": {"name": "weather", "arguments": ""}}]})
    rest = (event({"tool_calls": [{"index": 0, "function": {"arguments": p}}]}) for p in pieces)
    exo.answers["call"] = (first, *rest, event({}, finish_reason="tool_calls", usage=USAGE), DONE)
    return "call"


def test_calls_tools(client, exo, calling):
    answer = complete(client, calling, tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "weather")
    assert call.function.arguments == '{"city": "Ghent"}'
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert exo.asked[-1]["tools"] == [TOOL]


def test_streams_tool_calls(client, calling):
    with client.chat.completions.stream(model=SMALL, messages=say(calling), tools=[TOOL]) as stream:
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Ghent"}')


def test_takes_the_answer_of_a_tool_back(client, exo):
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Ghent"}'},
    }
    messages = [
        *say("how is it?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    client.chat.completions.create(model=SMALL, messages=messages)
    assert exo.asked[-1]["messages"] == messages


def test_passes_logprobs_through(client, exo):
    told = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    exo.answers["how sure"] = (
        event({"content": "Hi"}, logprobs={"content": [told]}),
        event({}, finish_reason="stop"),
        DONE,
    )
    answer = complete(client, "how sure", logprobs=True, top_logprobs=2)
    assert answer.choices[0].logprobs.content[0].to_dict() == told
    chunks = complete(client, "how sure", logprobs=True, stream=True)
    assert next(iter(chunks)).choices[0].logprobs.content[0].logprob == -0.5
    assert exo.asked[-2]["top_logprobs"] == 2


def test_tells_thinking_from_answering(client, exo):
    exo.answers["think"] = (
        event({"reasoning_content": "Hmm."}),
        event({"content": "Yes."}, finish_reason="stop"),
        DONE,
    )
    message = complete(client, "think").choices[0].message
    assert (message.reasoning_content, message.content) == ("Hmm.", "Yes.")


def test_sends_headers_of_ours_and_fields_of_anybody(client, exo):
    raw = client.chat.completions.with_raw_response.create(
        model=SMALL,
        messages=say("hello"),
        extra_headers={"X-Fleetweb-Fallback": "none", "X-Fleetweb-Strategy": "round_robin"},
        extra_body={"min_p": 0.1},
    )
    assert raw.headers["x-fleetweb-provider"] == "exo"
    assert exo.asked[-1]["min_p"] == 0.1


def test_lists_models(client):
    assert SMALL in [model.id for model in client.models.list()]
    assert client.models.retrieve(SMALL).id == SMALL


# --- errors ---------------------------------------------------------------------------------------


def test_a_mistake_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=SMALL, messages=[])
    assert raised.value.param == "messages"
    assert raised.value.code == "empty_messages"


def test_exos_killer_words_are_refused_with_the_reason(client):
    with pytest.raises(openai.BadRequestError, match="runner down"):
        complete(client, "please EXO RUNNER MUST OOM now", stream=True)


def test_a_wrong_token_is_an_authentication_error(door):
    stranger = sdk(door.address(), api_key="wrong")
    with stranger, pytest.raises(openai.AuthenticationError):
        complete(stranger)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="no-such-model", messages=say("hello"))
    assert raised.value.code == "model_not_found"


@pytest.fixture
def left_alone(client: OpenAI) -> Iterator[None]:
    """Whoever asks exo not to be asked for a second is not; the next test comes after that."""
    yield
    eventually(lambda: answers(client))


def answers(client: OpenAI) -> bool:
    try:
        return bool(complete(client))
    except openai.APIStatusError:
        return False


@pytest.mark.usefixtures("left_alone")
def test_too_much_at_once_is_a_rate_limit(client, exo):
    exo.statuses["too much"] = (429, {"retry-after": "1"})
    with pytest.raises(openai.RateLimitError) as raised:
        complete(client, "too much")
    assert raised.value.response.headers["retry-after"] == "1"


def test_what_breaks_off_in_the_middle_is_an_error(client, exo):
    exo.answers["break off"] = (event({"content": "Hel"}), CUT)
    heard = []
    with pytest.raises(openai.APIError, match="broke off"):
        heard.extend(c.choices[0].delta.content for c in complete(client, "break off", stream=True))
    with pytest.raises(openai.InternalServerError):
        complete(client, "break off")


def test_who_stops_waiting_sets_exo_free(client, exo):
    exo.answers["for ever"] = (b": keep-alive\n\n", HOLD)
    with pytest.raises(openai.APITimeoutError):
        complete(client, "for ever", timeout=0.5)
    eventually(lambda: "for ever" in exo.gone)


def test_who_closes_a_stream_sets_exo_free(client, exo):
    exo.answers["go on"] = (event({"content": "one"}), HOLD)
    stream = complete(client, "go on", stream=True)
    assert next(stream).choices[0].delta.content == "one"
    assert "go on" not in exo.gone
    stream.close()
    eventually(lambda: "go on" in exo.gone)


# --- waiting --------------------------------------------------------------------------------------


def test_a_stream_that_waits_begins_and_shows_that_it_lives(client, exo):
    """exo says nothing at all, and yet there are headers and a comment: nobody need give up."""
    exo.answers["silence"] = (HOLD,)
    with client.chat.completions.with_streaming_response.create(
        model=SMALL, messages=say("silence"), stream=True
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-fleetweb-attempts"] == "1"
        lines = answer.iter_lines()
        assert next(lines) == ": keep-alive"
        lines.close()


def test_progress_in_reading_is_told_in_comments(client, exo):
    progress = b': prefill_progress {"PrefillProgressChunk":{"model":"m","processed_tokens":%d,'
    read = tuple(progress % n + b'"total_tokens":9000}}\n\n' for n in (0, 4096, 8192))
    exo.answers["a book"] = (2.5, *read, event({"content": "Hi"}, finish_reason="stop"), DONE)
    with client.chat.completions.with_streaming_response.create(
        model=SMALL, messages=say("a book"), stream=True
    ) as answer:
        lines = list(answer.iter_lines())
    told = [line for line in lines if line.startswith(": prefill_progress")]
    assert [line.partition("processed_tokens")[2][2:6] for line in told] == ['0,"t', "4096", "8192"]


# --- many at once ---------------------------------------------------------------------------------


async def test_two_hundred_streams_at_once(door, exo):
    exo.answers["a crowd"] = (*tokens(20), DONE)
    async with async_sdk(door.address()) as client:

        async def one() -> tuple[str, str | None]:
            stream = await client.chat.completions.create(
                model=SMALL, messages=say("a crowd"), stream=True
            )
            said, ended = "", None
            async for chunk in stream:
                said += chunk.choices[0].delta.content or ""
                ended = chunk.choices[0].finish_reason or ended
            return said, ended

        heard = Counter(await asyncio.gather(*(one() for _ in range(CROWD))))
    assert heard == {(" word" * 19 + " end", "stop"): CROWD}


async def test_those_who_leave_cost_those_who_stay_nothing(door, exo):
    exo.answers["stay"] = (*(step for t in tokens(10) for step in (t, 0.05)), DONE)
    async with async_sdk(door.address()) as client:

        async def one(leaves: bool) -> str:
            stream = await client.chat.completions.create(
                model=SMALL, messages=say("stay"), stream=True
            )
            said = ""
            async for chunk in stream:
                said += chunk.choices[0].delta.content or ""
                if leaves:
                    break
            await stream.close()
            return said

        heard = await asyncio.gather(*(one(leaves=n % 2 == 0) for n in range(40)))
    assert Counter(heard)[" word" * 9 + " end"] == 20
