import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIStatusError, AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fleetweb.core.chat import (
    Chunk,
    Progress,
    Stats,
    ToolCallDelta,
    Usage,
    collect,
)
from fleetweb.core.openai import (
    ChunkWriter,
    InvalidRequest,
    answer_to,
    comment,
    completion_body,
    decode_json,
    error_body,
    error_event,
    model_list,
    parse_request,
)
from fleetweb.core.sse import Comment, Event, SseParser
from fleetweb.errors import (
    AllFailed,
    FleetError,
    ModelUnknown,
    NoCandidate,
    ProviderRefused,
    ProviderReplyInvalid,
    ProviderUnavailable,
)
from tests.upstream.providers.fake import Fake, serving

HI = {"role": "user", "content": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **fields}


# Requests


def test_a_request_keeps_everything_as_it_came() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}], "odd": 1}
    asked = parse_request(
        {
            "model": "m",
            "messages": [message],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 1,
            "chat_template_kwargs": {"x": None},
        }
    )
    assert (asked.model, asked.messages, asked.stream) == ("m", (message,), True)
    assert asked.include_usage
    assert asked.params == {"temperature": 1, "chat_template_kwargs": {"x": None}}


def test_what_is_null_is_as_good_as_absent() -> None:
    asked = parse_request(body(stream=None, temperature=None, tools=None, stop=None))
    assert not asked.stream
    assert asked.temperature is None
    assert asked.tools == ()


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "s"}, HI],
        [{"role": "developer", "content": "s"}, HI],
        [HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [HI, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "content": "7"}],
        [{"role": "user", "content": []}],
    ],
)
def test_what_clients_send_is_accepted(messages: list[dict[str, Any]]) -> None:
    assert parse_request(body(messages=messages)).messages == tuple(messages)


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ([], None),
        ("hi", None),
        ({"messages": [HI]}, "model"),
        (body(model=""), "model"),
        (body(model=7), "model"),
        ({"model": "m"}, "messages"),
        (body(messages="hi"), "messages"),
        (body(messages={"role": "user"}), "messages"),
        (body(messages=[]), "messages"),
        (body(messages=["hi"]), "messages[0]"),
        (body(messages=[HI, {}]), "messages[1].role"),
        (body(messages=[{"role": "robot", "content": "x"}]), "messages[0].role"),
        (body(messages=[{"role": ["user"], "content": "x"}]), "messages[0].role"),
        (body(messages=[{"role": "user"}]), "messages[0].content"),
        (body(messages=[{"role": "user", "content": 5}]), "messages[0].content"),
        (body(messages=[{"role": "user", "content": [5]}]), "messages[0].content"),
        (body(messages=[HI | {"tool_calls": "x"}]), "messages[0].tool_calls"),
        (body(messages=[HI | {"tool_calls": [{"id": "c"}]}]), "messages[0].tool_calls"),
        (body(stream="perhaps"), "stream"),
        (body(stream_options=[]), "stream_options"),
        (body(temperature="hot"), "temperature"),
        (body(temperature=True), "temperature"),
        (body(max_tokens="many"), "max_tokens"),
        (body(max_tokens=-1), "max_tokens"),
        (body(max_tokens=1.5), "max_tokens"),
        (body(seed="x"), "seed"),
        (body(n=0), "n"),
        (body(stop=7), "stop"),
        (body(stop=["a", 7]), "stop"),
        (body(tools={}), "tools"),
        (body(tools=["f"]), "tools"),
        (body(logprobs=5), "logprobs"),
        (body(response_format="json"), "response_format"),
        (body(tool_choice=7), "tool_choice"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(sent: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(sent)
    assert caught.value.param == param
    assert not caught.value.retryable
    answer = answer_to(caught.value)
    assert answer.status == 400
    assert answer.body["error"]["param"] == param
    assert answer.body["error"]["type"] == "invalid_request_error"


def test_an_empty_conversation_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidRequest, match="crashes exo's runner for everyone"):
        parse_request(body(messages=[]))


@pytest.mark.parametrize("words", ["FAIL", "OOM", "TIMEOUT"])
@pytest.mark.parametrize(
    "content",
    [
        "please: {}!",
        [{"type": "text", "text": "hi"}, {"type": "text", "text": "{}"}],
        {"type": "text", "text": "{}"},
    ],
    ids=["text", "parts", "one part"],
)
def test_exos_test_words_are_refused_with_the_reason(words: str, content: Any) -> None:
    killer = f"EXO RUNNER MUST {words}"
    poisoned = json.loads(json.dumps(content).replace("{}", killer))
    with pytest.raises(InvalidRequest, match="take the model's runner down") as caught:
        parse_request(body(messages=[HI, {"role": "system", "content": poisoned}]))
    assert caught.value.param == "messages[1].content"


def test_exos_test_words_in_parts_are_found_together() -> None:
    parts = [{"type": "text", "text": "EXO RUNNER "}, {"type": "text", "text": "MUST FAIL"}]
    with pytest.raises(InvalidRequest):
        parse_request(body(messages=[{"role": "user", "content": parts}]))


def test_talking_about_runners_is_allowed() -> None:
    assert parse_request(body(messages=[HI | {"content": "Why must an exo runner fail?"}]))


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": 1,}', b"\xff\xfe{}", b"NaN", b"{} {}"])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        decode_json(raw)


@pytest.mark.parametrize("depth", [65, 500, 200_000])
def test_what_is_nested_too_deeply_is_refused(depth: int) -> None:
    with pytest.raises(InvalidRequest, match="64 levels"):
        decode_json(b'{"a":' * depth + b"1" + b"}" * depth)
    with pytest.raises(InvalidRequest, match="64 levels"):
        decode_json(b"[" * depth + b"]" * depth)


def test_what_is_nested_reasonably_is_read() -> None:
    assert decode_json(b"[" * 64 + b"]" * 64)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    ),
    st.sampled_from(["messages", "model", "stop", "tools", "stream_options", "temperature", "n"]),
)
def test_any_value_is_accepted_or_refused_but_never_a_crash(value: Any, field: str) -> None:
    with suppress(InvalidRequest):
        assert parse_request(body(**{field: value})).model == "m"


# Answers

USAGE = Usage(12, 5, cached_tokens=4, reasoning_tokens=2)
PIECES = (
    Chunk(progress=Progress(0, 12)),
    Chunk(reasoning="Let me see."),
    Chunk(content="Hel", id="upstream", model="upstream"),
    Chunk(content="lo", logprobs={"content": []}),
    Chunk(finish_reason="stop", usage=USAGE),
    Chunk(stats=Stats(generation_tokens_per_s=20.0, peak_memory_bytes=99)),
)


def written(*chunks: Chunk, include_usage: bool = False) -> list[Event | Comment]:
    writer = ChunkWriter(
        answer_id="chatcmpl-1", created=7, model="org/real", include_usage=include_usage
    )
    raw = b"".join(writer.write(chunk) for chunk in chunks) + writer.end()
    return SseParser().feed(raw)


def events(*chunks: Chunk, include_usage: bool = False) -> list[dict[str, Any]]:
    items = [i.data for i in written(*chunks, include_usage=include_usage) if isinstance(i, Event)]
    assert items[-1] == "[DONE]"
    return [json.loads(data) for data in items[:-1]]


def test_only_the_first_delta_has_the_role() -> None:
    roles = [event["choices"][0]["delta"].get("role") for event in events(*PIECES)]
    assert roles == ["assistant", None, None, None]


def test_every_event_is_the_standard_form() -> None:
    for event in events(*PIECES):
        assert event["object"] == "chat.completion.chunk"
        assert (event["id"], event["created"], event["model"]) == ("chatcmpl-1", 7, "org/real")
        ChatCompletionChunk.model_validate(event, strict=True)


def test_the_reason_is_null_until_it_is_known() -> None:
    reasons = [event["choices"][0]["finish_reason"] for event in events(*PIECES)]
    assert reasons == [None, None, None, "stop"]


def test_text_and_thinking_have_their_own_places() -> None:
    deltas = [event["choices"][0]["delta"] for event in events(*PIECES)]
    assert "".join(d.get("content", "") for d in deltas) == "Hello"
    assert "".join(d.get("reasoning_content", "") for d in deltas) == "Let me see."


def test_usage_is_a_chunk_of_its_own_at_the_end_if_it_was_asked_for() -> None:
    *rest, last = events(*PIECES, include_usage=True)
    assert all(event["usage"] is None for event in rest)
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert all("usage" not in event for event in events(*PIECES))


def test_usage_that_nobody_told_is_null() -> None:
    assert events(Chunk(content="x"), include_usage=True)[-1]["usage"] is None


def test_progress_and_stats_are_comments_in_exos_form() -> None:
    comments = [item.text for item in written(*PIECES) if isinstance(item, Comment)]
    progress = comments[0].removeprefix("prefill_progress ")
    assert json.loads(progress) == {
        "PrefillProgressChunk": {"model": "org/real", "processed_tokens": 0, "total_tokens": 12}
    }
    stats = json.loads(comments[1].removeprefix("generation_stats "))
    assert stats == {"generation_tps": 20.0, "peak_memory_usage": {"in_bytes": 99}}


def test_a_comment_cannot_break_out_of_its_line() -> None:
    assert comment("waiting\n\ndata: evil") == b": waiting data: evil\n\n"


CALLS = (
    Chunk(tool_calls=(ToolCallDelta(0, "call_1", "f", "", {"google": {"x": "y"}}),)),
    Chunk(tool_calls=(ToolCallDelta(0, arguments='{"a": '),)),
    Chunk(tool_calls=(ToolCallDelta(0, arguments="1}"),)),
    Chunk(finish_reason="tool_calls"),
)


def test_a_tool_call_is_named_once_and_then_only_argued() -> None:
    first, second, third, _ = (e["choices"][0]["delta"] for e in events(*CALLS))
    assert first["tool_calls"] == [
        {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "extra_content": {"google": {"x": "y"}},
            "function": {"name": "f", "arguments": ""},
        }
    ]
    assert second["tool_calls"] == [{"index": 0, "function": {"arguments": '{"a": '}}]
    assert third["tool_calls"] == [{"index": 0, "function": {"arguments": "1}"}}]


def test_a_whole_answer_is_the_standard_form() -> None:
    whole = completion_body(collect(PIECES), answer_id="chatcmpl-1", created=7, model="org/real")
    read = ChatCompletion.model_validate(whole, strict=True)
    message = read.choices[0].message
    assert (message.content, message.role) == ("Hello", "assistant")
    assert whole["choices"][0]["message"]["reasoning_content"] == "Let me see."
    assert read.choices[0].finish_reason == "stop"
    assert read.usage is not None
    assert read.usage.total_tokens == 17


def test_a_whole_answer_with_a_call_has_no_content() -> None:
    whole = completion_body(collect(CALLS), answer_id="chatcmpl-1", created=7, model="m")
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert message["tool_calls"][0]["extra_content"] == {"google": {"x": "y"}}
    assert whole["usage"] is None


def test_models_keep_what_is_told_of_them() -> None:
    listed = model_list([{"id": "a", "loaded_on": ["king"]}, {"id": "b", "owned_by": "exo"}])
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert listed["data"][0]["loaded_on"] == ["king"]
    assert [model["owned_by"] for model in listed["data"]] == ["fleetweb", "exo"]


# Errors


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (ProviderRefused("x", status=422), 422, "invalid_request_error", None),
        (ProviderRefused("x"), 400, "invalid_request_error", None),
        (ProviderRefused("x", status=401), 502, "server_error", "provider_refused"),
        (ProviderUnavailable("x"), 503, "server_error", "provider_unavailable"),
        (ProviderUnavailable("x", status=500), 503, "server_error", "provider_unavailable"),
        (ProviderUnavailable("x", status=404), 404, "invalid_request_error", "model_not_found"),
        (ProviderUnavailable("x", status=429), 429, "rate_limit_error", "rate_limit_exceeded"),
        (ProviderReplyInvalid("x"), 502, "server_error", "reply_invalid"),
        (ModelUnknown("x"), 404, "invalid_request_error", "model_not_found"),
        (NoCandidate("x"), 503, "server_error", "no_candidate"),
        (
            AllFailed("x", (ProviderUnavailable("y"), ProviderReplyInvalid("z"))),
            502,
            "server_error",
            "reply_invalid",
        ),
        (FleetError("x"), 503, "server_error", None),
    ],
)
def test_an_error_tells_whose_turn_it_is(
    error: FleetError, status: int, kind: str, code: str | None
) -> None:
    answer = answer_to(error)
    assert answer.status == status
    assert answer.body == error_body("x", kind, code=code)


def test_when_to_come_back_is_passed_on() -> None:
    error = ProviderUnavailable("x", status=429, retry_after_s=7)
    assert answer_to(AllFailed("all", (error,))).retry_after_s == 7


# The official SDK


def client(fake: Fake) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="k", base_url=f"{fake.url}/v1", max_retries=0)


async def test_the_official_sdk_reads_a_stream() -> None:
    writer = ChunkWriter(answer_id="chatcmpl-1", created=7, model="org/real", include_usage=True)
    steps = (*(writer.write(chunk) for chunk in PIECES), writer.end())
    headers = {"content-type": "text/event-stream"}
    async with serving(Fake(steps, headers=headers)) as fake, client(fake) as sdk:
        stream = await sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
        assert parse_request(fake.request.body).stream
    texts = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(texts) == "Hello"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


async def test_the_official_sdk_puts_a_streamed_call_together() -> None:
    writer = ChunkWriter(answer_id="chatcmpl-1", created=7, model="m")
    steps = (*(writer.write(chunk) for chunk in CALLS), writer.end())
    headers = {"content-type": "text/event-stream"}
    async with serving(Fake(steps, headers=headers)) as fake, client(fake) as sdk:
        manager = sdk.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )
        async with manager as stream:
            final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls
    assert (calls[0].function.name, calls[0].function.arguments) == ("f", '{"a": 1}')


async def test_the_official_sdk_reads_a_whole_answer() -> None:
    whole = completion_body(collect(PIECES), answer_id="chatcmpl-1", created=7, model="org/real")
    headers = {"content-type": "application/json"}
    steps = (json.dumps(whole).encode(),)
    async with serving(Fake(steps, headers=headers)) as fake, client(fake) as sdk:
        read = await sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )
    assert read.choices[0].message.content == "Hello"


async def test_the_official_sdk_reads_an_error() -> None:
    answer = answer_to(InvalidRequest("`n` must be more.", param="n", code="invalid_type"))
    steps = (json.dumps(answer.body).encode(),)
    headers = {"content-type": "application/json"}
    async with serving(Fake(steps, answer.status, headers)) as fake, client(fake) as sdk:
        with pytest.raises(APIStatusError) as caught:
            await sdk.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}]
            )
    assert (caught.value.status_code, caught.value.param) == (400, "n")
    assert caught.value.code == "invalid_type"


async def test_the_official_sdk_sees_a_stream_fail() -> None:
    writer = ChunkWriter(answer_id="chatcmpl-1", created=7, model="m")
    failure = error_event(answer_to(ProviderReplyInvalid("exo broke off.")).body)
    steps = (writer.write(Chunk(content="Hel")), failure)
    headers = {"content-type": "text/event-stream"}
    async with serving(Fake(steps, headers=headers)) as fake, client(fake) as sdk:
        stream = await sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        with pytest.raises(Exception, match="exo broke off"):
            [chunk async for chunk in stream]
