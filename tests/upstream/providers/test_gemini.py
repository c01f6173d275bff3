"""Gemini's own words: what becomes of a request, and what only its stream does."""

import json
from typing import Any

import pytest

from fleetweb.core.chat import ChatRequest, collect
from fleetweb.errors import ProviderRefused, ProviderReplyInvalid, ProviderUnavailable
from fleetweb.upstream.providers import ProviderConfig, make_provider
from fleetweb.upstream.providers.gemini_stream import GeminiDecoder

from .asking import CALL, CONVERSATION, ELSEWHERE, PIXEL, SCHEMA, WEATHER, hi, saying, sent
from .dialects import GEMINI, sse
from .fake import Fake, serving


async def body_of(request: ChatRequest, model: str = "gemini-3-flash") -> dict[str, Any]:
    return await sent("gemini", GEMINI.whole, request, model)


async def test_a_conversation_is_told_in_geminis_words() -> None:
    body = await body_of(ChatRequest("m", CONVERSATION, params={"tools": [WEATHER]}))
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Where is this?"},
                    {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"name": "weather", "args": {"city": "Bern"}},
                        "thoughtSignature": "skip_thought_signature_validator",
                    }
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"sky": "blue"}}},
                    {"text": "And now?"},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "Says the weather",
                        "parametersJsonSchema": SCHEMA,
                    }
                ]
            }
        ],
    }


async def test_the_signature_of_a_call_comes_back_with_it() -> None:
    call = collect(GeminiDecoder().feed(b"".join(GEMINI.tool))).tool_calls[0]
    kept = CALL | {"extra_content": call.extra}
    past = ({"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [kept, CALL]})
    parts = (await body_of(ChatRequest("m", past)))["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["c2ln", None]


async def test_early_models_are_sent_no_stand_in_for_a_signature() -> None:
    body = await body_of(ChatRequest("m", CONVERSATION), "gemini-2.5-flash")
    assert "thoughtSignature" not in body["contents"][1]["parts"][0]


async def test_sampling_goes_into_the_generation_config() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    body = await body_of(
        hi(
            temperature=0.2,
            top_p=0.9,
            top_k=40,
            seed=7,
            max_tokens=5,
            stop=["A", "B"],
            presence_penalty=0.5,
            frequency_penalty=0.25,
            response_format=schema,
        )
    )
    assert body["generationConfig"] == {
        "temperature": 0.2,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "maxOutputTokens": 5,
        "stopSequences": ["A", "B"],
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.25,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
async def test_the_choice_of_a_tool_is_translated(choice: Any, config: dict[str, Any]) -> None:
    body = await body_of(hi(tools=[WEATHER], tool_choice=choice))
    assert body["toolConfig"] == {"functionCallingConfig": config}


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-3-pro", "high", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
async def test_effort_is_a_budget_or_a_level(
    model: str, effort: str, config: dict[str, Any]
) -> None:
    body = await body_of(hi(reasoning_effort=effort), model)
    assert body["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (saying(ELSEWHERE), "image_url"),
        (hi(reasoning_effort="enormous"), "reasoning_effort"),
        (hi(logit_bias={"7": 1}), "logit_bias"),
        (hi(tool_choice={"type": "function"}, tools=[WEATHER]), "tool_choice"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(request_: ChatRequest, field: str) -> None:
    with pytest.raises(ProviderRefused, match=f"Gemini.*`{field}`"):
        await body_of(request_)


def ended(reason: str) -> bytes:
    return sse({"candidates": [{"content": {"parts": []}, "finishReason": reason}]})


@pytest.mark.parametrize(
    ("reason", "openais"),
    [("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter")],
)
def test_reasons_are_translated(reason: str, openais: str) -> None:
    assert collect(GeminiDecoder().feed(ended(reason))).finish_reason == openais


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "SOMETHING_NEW"])
def test_giving_up_is_a_failure(reason: str) -> None:
    with pytest.raises(ProviderReplyInvalid, match=reason):
        list(GeminiDecoder().feed(ended(reason)))


def test_a_blocked_prompt_is_filtered() -> None:
    blocked = sse({"promptFeedback": {"blockReason": "SAFETY"}})
    completion = collect(GeminiDecoder().feed(blocked))
    assert (completion.content, completion.finish_reason) == ("", "content_filter")


async def failure(status: int, error: dict[str, Any]) -> Exception:
    async with serving(Fake((json.dumps({"error": error}).encode(),), status=status)) as fake:
        provider = make_provider("gemini", ProviderConfig(fake.url, api_key="key"))
        with pytest.raises((ProviderRefused, ProviderUnavailable)) as caught:
            [chunk async for chunk in provider.stream(hi(), "m")]
    return caught.value


async def test_a_bad_key_is_known_under_its_400() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = await failure(400, {"code": 400, "message": "API key not valid", "details": details})
    assert isinstance(error, ProviderRefused)
    assert error.retryable
    assert "API key" in str(error)


async def test_its_own_word_for_when_to_come_back_is_read() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "23.5s"}]
    error = await failure(429, {"code": 429, "message": "quota", "details": details})
    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after_s == 23.5


async def test_a_prompt_that_is_too_long_is_said_to_be() -> None:
    message = "The input token count (1200000) exceeds the maximum number of tokens allowed"
    error = await failure(400, {"code": 400, "message": message, "status": "INVALID_ARGUMENT"})
    assert "the prompt is too long for m" in str(error)


def test_an_address_with_a_version_is_kept() -> None:
    provider = make_provider("gemini", ProviderConfig("https://proxy.example/v1/"))
    assert provider._url == "https://proxy.example/v1"  # type: ignore[attr-defined]
