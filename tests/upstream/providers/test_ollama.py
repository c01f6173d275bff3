"""Ollama's own words: what becomes of a request, and what only its stream does."""

from typing import Any

import pytest

from fleetweb.core.chat import ChatRequest, collect
from fleetweb.errors import ProviderRefused
from fleetweb.upstream.providers.ollama import OllamaDecoder

from .asking import CONVERSATION, ELSEWHERE, PIXEL, SCHEMA, WEATHER, hi, saying, sent
from .dialects import OLLAMA, line


async def body_of(request: ChatRequest) -> dict[str, Any]:
    return await sent("ollama", OLLAMA.whole, request)


async def test_a_conversation_is_told_in_ollamas_words() -> None:
    body = await body_of(ChatRequest("m", CONVERSATION, params={"tools": [WEATHER]}))
    assert body == {
        "model": "some-model",
        "stream": True,
        "tools": [WEATHER],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Where is this?", "images": [PIXEL]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Bern"}}}],
            },
            {"role": "tool", "content": '{"sky": "blue"}', "tool_name": "weather"},
            {"role": "user", "content": "And now?"},
        ],
    }


async def test_sampling_goes_into_options() -> None:
    body = await body_of(
        hi(
            temperature=0,
            top_p=0.9,
            top_k=40,
            seed=7,
            max_completion_tokens=5,
            stop="END",
            repetition_penalty=1.1,
            presence_penalty=0.5,
            user="someone",
        )
    )
    assert body["options"] == {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "num_predict": 5,
        "stop": ["END"],
        "repeat_penalty": 1.1,
        "presence_penalty": 0.5,
    }
    assert "user" not in body


@pytest.mark.parametrize(
    ("params", "field", "value"),
    [
        ({"response_format": {"type": "json_object"}}, "format", "json"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            "format",
            SCHEMA,
        ),
        ({"reasoning_effort": "none"}, "think", False),
        ({"reasoning_effort": "high"}, "think", "high"),
        ({"enable_thinking": True}, "think", True),
        ({"logprobs": True}, "logprobs", True),
        ({"max_tokens": 0}, "options", {"num_predict": -1}),
    ],
)
async def test_wishes_are_translated(params: dict[str, Any], field: str, value: Any) -> None:
    assert (await body_of(hi(**params)))[field] == value


async def test_tools_it_must_not_call_are_not_shown_to_it() -> None:
    assert "tools" not in await body_of(hi(tools=[WEATHER], tool_choice="none"))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (hi(tools=[WEATHER], tool_choice="required"), "tool_choice"),
        (hi(parallel_tool_calls=False), "parallel_tool_calls"),
        (hi(reasoning_effort="enormous"), "reasoning_effort"),
        (hi(tools=[{"type": "web_search"}]), "tools"),
        (saying(ELSEWHERE), "image_url"),
        (saying({"type": "input_audio", "input_audio": {}}), "messages"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(request_: ChatRequest, field: str) -> None:
    with pytest.raises(ProviderRefused, match=f"Ollama.*`{field}`"):
        await body_of(request_)


def test_its_measures_become_stats() -> None:
    stats = collect(OllamaDecoder().feed(b"".join(OLLAMA.whole))).stats
    assert stats is not None
    assert (stats.prompt_tokens_per_s, stats.generation_tokens_per_s) == (12.0, 10.0)
    assert stats.load_ms == 250.0


def test_an_answer_cut_by_its_bound_says_so() -> None:
    end = line({"message": {"content": "x"}, "done": True, "done_reason": "length"})
    completion = collect(OllamaDecoder().feed(end))
    assert completion.finish_reason == "length"
    assert completion.usage is None  # it did not say


def test_the_last_line_needs_no_newline() -> None:
    decoder = OllamaDecoder()
    assert not list(decoder.feed(b"".join(OLLAMA.hello) + OLLAMA.ending.rstrip()))[2:]
    assert [chunk.finish_reason for chunk in decoder.end()] == ["stop"]
