import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.chat import (
    ChatRequest,
    Chunk,
    Completion,
    Stats,
    ToolCall,
    ToolCallDelta,
    Usage,
    collect,
    estimate_prompt_tokens,
    fingerprint,
    is_deterministic,
    message_texts,
)

HI = {"role": "user", "content": "hi"}
HO = {"role": "assistant", "content": "ho"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def asking(*messages: dict[str, Any], model: str = "m", **params: Any) -> ChatRequest:
    return ChatRequest(model, messages or (HI,), params=params)


def shuffled(value: Any) -> Any:
    """The same JSON with every object's keys the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(params=st.dictionaries(st.text(max_size=5), JSON), message=st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_does_not_matter(params: Any, message: Any) -> None:
    one = ChatRequest("m", (message,), params=params)
    other = ChatRequest("m", (shuffled(message),), params=shuffled(params))
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "other",
    [
        asking(HO, HI),
        asking(HI, HO, HI),
        asking(HI, HO, model="n"),
        asking(HI, HO, temperature=0),
        asking(HI, HO, nonsense=1),
        asking(HI, HO, stop=["a", "b"]),
        asking(HI | {"name": "x"}, HO),
    ],
)
def test_what_is_asked_makes_the_fingerprint(other: ChatRequest) -> None:
    assert fingerprint(asking(HI, HO)) != fingerprint(other)


@pytest.mark.parametrize(
    "other",
    [
        ChatRequest("m", (HI,), stream=True, include_usage=True),
        asking(user="someone"),
        asking(metadata={"a": "b"}),
        asking(store=True, service_tier="flex"),
        asking(temperature=None),
    ],
)
def test_who_asks_and_how_it_travels_does_not(other: ChatRequest) -> None:
    assert fingerprint(asking()) == fingerprint(other)


def test_a_number_is_itself_in_both_spellings() -> None:
    assert fingerprint(asking(temperature=1)) == fingerprint(asking(temperature=1.0))
    assert fingerprint(asking(temperature=1)) != fingerprint(asking(temperature=1.5))
    assert fingerprint(asking(logprobs=True)) != fingerprint(asking(logprobs=1))


@pytest.mark.parametrize(
    ("params", "repeatable"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"seed": 0}, True),
        ({"temperature": 1, "seed": 7}, True),
        ({}, False),
        ({"temperature": 0.1}, False),
        ({"temperature": None, "seed": None}, False),
    ],
)
def test_temperature_zero_or_a_seed_is_repeatable(params: dict[str, Any], repeatable: bool) -> None:
    assert is_deterministic(asking(**params)) is repeatable


@pytest.mark.parametrize(
    ("params", "bound"),
    [({}, None), ({"max_tokens": 5}, 5), ({"max_tokens": 5, "max_completion_tokens": 7}, 7)],
)
def test_the_bound_has_two_names(params: dict[str, Any], bound: int | None) -> None:
    assert asking(**params).max_tokens == bound


def test_stop_is_one_or_many() -> None:
    assert asking().stop == ()
    assert asking(stop="a").stop == ("a",)
    assert asking(stop=["a", "b"]).stop == ("a", "b")


def test_prose_is_about_a_token_for_four_letters() -> None:
    prose = "The machines were quiet that night, and the house with them. " * 100
    tokens = estimate_prompt_tokens(asking({"role": "user", "content": prose}))
    assert 1200 < tokens < 1900  # 1,300 by the tokenizers of 2026


def test_a_longer_prompt_is_never_estimated_shorter() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 90_000}}
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 400}}
    one = estimate_prompt_tokens(asking())
    assert estimate_prompt_tokens(asking(HI, HO)) > one
    assert estimate_prompt_tokens(asking(tools=[tool])) > one + 100
    shown = estimate_prompt_tokens(asking({"role": "user", "content": [picture]}))
    assert 500 < shown < 2000  # what a picture is worth is not the length of its base64


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("a", ["a"]),
        ([{"type": "text", "text": "a"}, {"type": "image_url"}, {"text": "b"}], ["a", "b"]),
        ({"type": "text", "text": "a"}, ["a"]),
        (None, []),
        ([7, "x", {"text": 7}], []),
    ],
)
def test_texts_are_found_in_any_content(content: Any, texts: list[str]) -> None:
    assert message_texts({"role": "user", "content": content}) == texts


def test_pieces_make_a_whole() -> None:
    usage, stats = Usage(3, 2), Stats(generation_tokens_per_s=20.0)
    whole = collect(
        [
            Chunk(id="a1", model="m"),
            Chunk(reasoning="Let "),
            Chunk(reasoning="me see.", logprobs={"content": [{"token": "me"}]}),
            Chunk(content="Hel"),
            Chunk(content="lo", logprobs={"content": [{"token": "lo"}]}),
            Chunk(finish_reason="stop", usage=usage),
            Chunk(stats=stats),
        ]
    )
    assert whole == Completion(
        content="Hello",
        reasoning="Let me see.",
        logprobs={"content": [{"token": "me"}, {"token": "lo"}]},
        finish_reason="stop",
        usage=usage,
        stats=stats,
        id="a1",
        model="m",
    )


def test_tool_calls_are_put_together_by_their_index() -> None:
    whole = collect(
        [
            Chunk(tool_calls=(ToolCallDelta(1, "b", "second", '{"x"'),)),
            Chunk(tool_calls=(ToolCallDelta(0, "a", "first", "{}", {"google": {}}),)),
            Chunk(tool_calls=(ToolCallDelta(1, arguments=": 1}"),)),
        ]
    )
    assert whole.tool_calls == (
        ToolCall("a", "first", "{}", {"google": {}}),
        ToolCall("b", "second", '{"x": 1}'),
    )
    assert json.loads(whole.tool_calls[1].arguments) == {"x": 1}


def test_nothing_makes_an_unfinished_whole() -> None:
    assert collect([]) == Completion()
    assert collect([Chunk(content="Hel")]).finish_reason is None


@pytest.mark.parametrize(
    ("chunk", "output"),
    [
        (Chunk(content="x"), True),
        (Chunk(reasoning="x"), True),
        (Chunk(tool_calls=(ToolCallDelta(0),)), True),
        (Chunk(id="a1", finish_reason="stop", usage=Usage(1, 1)), False),
    ],
)
def test_only_words_and_calls_are_output(chunk: Chunk, output: bool) -> None:
    assert chunk.has_output is output
