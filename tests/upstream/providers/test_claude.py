"""Claude's own words: what becomes of a request, and what only its stream does."""

from typing import Any

import pytest

from fleetweb.core.chat import ChatRequest, collect
from fleetweb.errors import ProviderRefused
from fleetweb.upstream.providers.claude_stream import ClaudeDecoder

from .asking import CALL, CONVERSATION, ELSEWHERE, PIXEL, SCHEMA, WEATHER, hi, saying, sent
from .dialects import CLAUDE, sse


async def body_of(request: ChatRequest) -> dict[str, Any]:
    return await sent("claude", CLAUDE.whole, request)


async def test_a_conversation_is_told_in_claudes_words() -> None:
    body = await body_of(ChatRequest("m", CONVERSATION, params={"tools": [WEATHER]}))
    picture = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert body == {
        "model": "some-model",
        "max_tokens": 8192,
        "stream": True,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this?"},
                    {"type": "image", "source": picture},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "weather",
                        "input": {"city": "Bern"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_1",
                        "content": [{"type": "text", "text": '{"sky": "blue"}'}],
                    },
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        "tools": [{"name": "weather", "description": "Says the weather", "input_schema": SCHEMA}],
    }


async def test_wishes_are_translated() -> None:
    body = await body_of(
        hi(temperature=0, top_p=0.9, top_k=40, max_completion_tokens=5, stop="END", n=1)
    )
    told = {"temperature": 0, "top_p": 0.9, "top_k": 40, "max_tokens": 5}
    assert {name: body[name] for name in told} == told
    assert body["stop_sequences"] == ["END"]
    assert "n" not in body


@pytest.mark.parametrize(
    ("params", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
async def test_the_choice_of_a_tool_is_translated(
    params: dict[str, Any], choice: dict[str, Any]
) -> None:
    assert (await body_of(hi(tools=[WEATHER], **params)))["tool_choice"] == choice


async def test_effort_makes_it_think_aloud() -> None:
    body = await body_of(hi(reasoning_effort="high"))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "high"}


async def test_no_effort_means_no_thinking() -> None:
    body = await body_of(hi(reasoning_effort="none"))
    assert body["thinking"] == {"type": "disabled"}
    assert "output_config" not in body


async def test_a_schema_is_passed_on() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    body = await body_of(hi(response_format=wanted))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


async def test_a_picture_elsewhere_is_named_by_its_address() -> None:
    body = await body_of(saying(ELSEWHERE))
    source = {"type": "url", "url": "https://example.org/cat.png"}
    assert body["messages"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (hi(temperature=1.5), "temperature"),
        (hi(response_format={"type": "json_object"}), "response_format"),
        (hi(seed=7), "seed"),
        (hi(presence_penalty=0.5), "presence_penalty"),
        (hi(reasoning_effort="enormous"), "reasoning_effort"),
        (saying({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}), "image_url"),
        (saying({"type": "image_url"}), "image_url"),
        (
            ChatRequest(
                "m",
                (
                    {
                        "role": "assistant",
                        "tool_calls": [CALL | {"function": {"name": "f", "arguments": "{oops"}}],
                    },
                ),
            ),
            "tool_calls",
        ),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(request_: ChatRequest, field: str) -> None:
    with pytest.raises(ProviderRefused, match=f"Claude.*`{field}`"):
        await body_of(request_)


def event(kind: str, **body: Any) -> bytes:
    return sse({"type": kind, **body}, kind)


@pytest.mark.parametrize(
    ("reason", "openais"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_reasons_are_translated(reason: str, openais: str) -> None:
    data = event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 1})
    assert collect(ClaudeDecoder().feed(data)).finish_reason == openais


def test_a_call_without_arguments_has_empty_ones() -> None:
    tool = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    data = (
        event("content_block_start", index=0, content_block=tool)
        + event("content_block_delta", index=0, delta={"type": "input_json_delta"})
        + event("content_block_stop", index=0)
    )
    assert collect(ClaudeDecoder().feed(data)).tool_calls[0].arguments == "{}"


def test_calls_side_by_side_are_numbered_in_their_order() -> None:
    data = b"".join(
        event(
            "content_block_start",
            index=index,
            content_block={"type": "tool_use", "id": f"t{index}", "name": f"f{index}"},
        )
        for index in (1, 3)
    ) + event(
        "content_block_delta", index=3, delta={"type": "input_json_delta", "partial_json": "{}"}
    )
    calls = collect(ClaudeDecoder().feed(data)).tool_calls
    assert [(call.name, call.arguments) for call in calls] == [("f1", ""), ("f3", "{}")]


def test_tokens_of_the_cache_belong_to_the_prompt() -> None:
    usage = collect(ClaudeDecoder().feed(b"".join(CLAUDE.whole))).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens) == (12, 4, 2)


def test_events_that_are_yet_to_be_invented_are_passed_over() -> None:
    data = b"".join((CLAUDE.opening, event("novelty", news={"x": 1}), *CLAUDE.hello, CLAUDE.ending))
    assert collect(ClaudeDecoder().feed(data)).content == "Hello ✓"
