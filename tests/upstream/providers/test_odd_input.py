"""Whatever a client, a proxy or a provider's next version sends: our own error, never a crash."""

import json
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetweb.core.chat import Chunk
from fleetweb.core.openai import InvalidRequest, parse_request
from fleetweb.errors import ProviderError, ProviderRefused, ProviderReplyInvalid
from fleetweb.upstream.providers import PROVIDERS, ProviderConfig
from fleetweb.upstream.providers.faults import refusal
from fleetweb.upstream.providers.wire import WireProvider

from .asking import CONVERSATION, WEATHER
from .dialects import DIALECTS, Dialect

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "data:", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "function", "name", "arguments", "error", "google"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
PARAMS = st.sampled_from(
    ["response_format", "tools", "tool_choice", "stop", "reasoning_effort", "enable_thinking", "n"]
)
MESSAGE_FIELDS = st.sampled_from(
    ["content", "tool_calls", "name", "tool_call_id", "reasoning_content"]
)


def provider(kind: str) -> WireProvider:
    return cast(WireProvider, PROVIDERS[kind](ProviderConfig("http://127.0.0.1:1", api_key="k")))


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [(*here, key) for key, _ in pairs]
    deeper = [
        p for key in inner if isinstance(v := value[key[-1]], dict | list) for p in paths(v, key)
    ]
    return inner + deeper


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_request_is_translated_or_refused(kind: str, data: st.DataObject) -> None:
    body = {"model": "m", "messages": [*CONVERSATION], "tools": [WEATHER]}
    body = json.loads(json.dumps(body))
    *way, last = data.draw(st.sampled_from(paths(body)))
    place = body
    for step in way:
        place = place[step]
    place[last] = data.draw(JSON)
    body[data.draw(PARAMS)] = data.draw(JSON)
    with suppress(InvalidRequest, ProviderRefused):
        call = provider(kind)._call(parse_request(body), "some-model")
        assert json.dumps(call.body)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.kind)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_are_an_answer_or_none(dialect: Dialect, data: st.DataObject) -> None:
    raw = b"".join((*dialect.whole, *dialect.tool))
    start = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, 40))
    instead = data.draw(
        st.binary(max_size=20) | st.sampled_from([b"null", b"[]", b"{}", b'"x"', b"\n\n", b"-1"])
    )
    decoder = provider(dialect.kind)._decoder()
    with suppress(ProviderReplyInvalid):
        chunks = [*decoder.feed(raw[:start] + instead + raw[start + length :]), *decoder.end()]
        assert all(isinstance(chunk, Chunk) for chunk in chunks)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.kind)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_error_body_is_understood_or_passed_over(dialect: Dialect, data: st.DataObject) -> None:
    body = json.loads(dialect.refusal)
    *way, last = data.draw(st.sampled_from(paths(body)))
    place = body
    for step in way:
        place = place[step]
    place[last] = data.draw(JSON)
    asked = provider(dialect.kind)
    fault = asked._fault(body, {"temperature": 1, "messages": []})
    error = refusal(asked.title, "m", 400, {}, fault, keyed=True)
    assert isinstance(error, ProviderError)
    assert "canary" not in str(error)


DEEP = '{"a":' * 900 + "1" + "}" * 900


@pytest.mark.parametrize("kind", ["ollama", "gemini", "claude"])
def test_arguments_nested_by_hundreds_are_refused(kind: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": DEEP}}
    message = {"role": "assistant", "tool_calls": [call]}
    with pytest.raises(ProviderRefused, match="`tool_calls`"):
        provider(kind)._call(parse_request({"model": "m", "messages": [message]}), "m")


def test_a_result_nested_by_hundreds_stays_text() -> None:
    message = {"role": "tool", "tool_call_id": "c", "content": DEEP}
    call = provider("gemini")._call(parse_request({"model": "m", "messages": [message]}), "m")
    part = call.body["contents"][0]["parts"][0]
    assert part["functionResponse"]["response"] == {"result": DEEP}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.kind)
def test_an_answer_nested_by_thousands_is_none(dialect: Dialect) -> None:
    field = {"exo": "error", "ollama": "error", "gemini": "error", "claude": "delta"}[dialect.kind]
    deep = f'{{"type": "x", "{field}": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}"
    raw = f"{deep}\n" if dialect.kind == "ollama" else f"data: {deep}\n\n"
    with pytest.raises(ProviderReplyInvalid):
        list(provider(dialect.kind)._decoder().feed(raw.encode()))
