"""What every provider promises, over all of them, each in its own dialect on a real socket."""

import asyncio
import json
from contextlib import aclosing

import pytest

from fleetweb.core.chat import ChatRequest, Chunk, Usage, collect
from fleetweb.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyInvalid,
    ProviderUnavailable,
)
from fleetweb.upstream.providers import Patience, Provider, ProviderConfig, make_provider

from .dialects import CANARY, DIALECTS, Dialect
from .fake import CUT, WAIT_S, Fake, serving

KEY = "key-0123456789"
ASKED = ChatRequest(
    model="whatever",
    messages=({"role": "user", "content": f"Say hello, {CANARY}."},),
    params={"temperature": 0.5},
)
HURRIED = Patience(first_s=0.1, between_s=0.1)


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.kind)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


def provider_at(fake: Fake, dialect: Dialect) -> Provider:
    key = KEY if dialect.kind in ("gemini", "claude") else None
    return make_provider(dialect.kind, ProviderConfig(fake.url, api_key=key))


async def chunks_of(
    fake: Fake, dialect: Dialect, request: ChatRequest = ASKED, patience: Patience | None = None
) -> list[Chunk]:
    provider = provider_at(fake, dialect)
    async with aclosing(
        provider.stream(request, "some-model", patience=patience or Patience())
    ) as chunks:
        return [chunk async for chunk in chunks]


async def failure_of(
    fake: Fake, dialect: Dialect, patience: Patience | None = None
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await chunks_of(fake, dialect, patience=patience)
    assert_clean(str(caught.value))
    return caught.value


def assert_clean(message: str) -> None:
    """Words for people: whose, and nothing of the prompt, of a key, of a path or of a traceback."""
    assert message[0].isalpha()
    assert "\n" not in message
    for secret in (CANARY, KEY, "Traceback", "/opt/", "/usr/"):
        assert secret not in message


async def test_an_answer_arrives_whole_and_in_order(dialect: Dialect) -> None:
    async with serving(Fake(dialect.whole)) as fake:
        chunks = await chunks_of(fake, dialect)
    assert [c.reasoning for c in chunks if c.reasoning] == ["Let me ", "see."]
    assert [c.content for c in chunks if c.content] == ["Hel", "lo ✓"]
    thought = max(i for i, c in enumerate(chunks) if c.reasoning)
    assert thought < min(i for i, c in enumerate(chunks) if c.content)
    assert [c.finish_reason for c in chunks if c.finish_reason] == ["stop"]


async def test_usage_is_told_as_far_as_it_is_known(dialect: Dialect) -> None:
    async with serving(Fake(dialect.whole)) as fake:
        usage = collect(await chunks_of(fake, dialect)).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (12, 5)
    if dialect.knows_cache:
        assert (usage.cached_tokens, usage.reasoning_tokens) == (4, 2)
    else:
        assert usage == Usage(12, 5)


async def test_the_model_that_answers_is_named(dialect: Dialect) -> None:
    async with serving(Fake(dialect.whole)) as fake:
        completion = collect(await chunks_of(fake, dialect))
    assert completion.model is not None
    assert "tiny" in completion.model


async def test_pieces_are_given_out_as_they_come(dialect: Dialect) -> None:
    released = asyncio.Event()
    steps = (dialect.opening, dialect.hello[0], released, dialect.hello[1], dialect.ending)
    async with serving(Fake(steps)) as fake:
        texts = []
        async with aclosing(provider_at(fake, dialect).stream(ASKED, "some-model")) as chunks:
            async for chunk in chunks:
                if chunk.content:
                    texts.append(chunk.content)
                    released.set()  # the rest is sent only once the first piece is here
    assert texts == ["Hel", "lo ✓"]


async def test_bytes_may_be_cut_anywhere(dialect: Dialect) -> None:
    every_byte = tuple(bytes([byte]) for byte in b"".join(dialect.whole))
    async with serving(Fake(every_byte)) as fake:
        completion = collect(await chunks_of(fake, dialect))
    assert completion.content == "Hello ✓"
    assert completion.reasoning == "Let me see."


async def test_a_tool_call_becomes_openais(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.tool))) as fake:
        completion = collect(await chunks_of(fake, dialect))
    (call,) = completion.tool_calls
    assert call.name == "weather"
    assert call.id
    assert json.loads(call.arguments) == {"city": "Bern"}
    assert completion.finish_reason == "tool_calls"


async def test_it_is_asked_to_stream_with_the_key_in_a_header(dialect: Dialect) -> None:
    async with serving(Fake(dialect.whole)) as fake:
        await chunks_of(fake, dialect)
    assert (fake.request.method, fake.request.path) == ("POST", dialect.path)
    assert fake.request.headers["content-type"] == "application/json"
    if dialect.kind != "gemini":
        assert fake.request.body["model"] == "some-model"
        assert fake.request.body["stream"] is True
    if dialect.kind in ("gemini", "claude"):
        assert KEY in fake.request.headers.values()
    assert KEY not in fake.request.path


async def test_its_models_are_listed(dialect: Dialect) -> None:
    async with serving(Fake((dialect.models,))) as fake:
        models = await provider_at(fake, dialect).models()
    assert models == ("org/tiny", "org/large")
    assert (fake.request.method, fake.request.path) == ("GET", dialect.models_path)


async def test_a_provider_that_answers_is_well(dialect: Dialect) -> None:
    answer = b'"a-node-id"' if dialect.kind == "exo" else dialect.models
    async with serving(Fake((answer,))) as fake:
        assert await provider_at(fake, dialect).health() is None


async def test_a_provider_that_does_not_answer_is_unwell_in_words(dialect: Dialect) -> None:
    async with serving(Fake()) as fake:
        pass
    words = await provider_at(fake, dialect).health()
    assert words is not None
    assert "refused the connection" in words


async def test_a_provider_that_answers_nonsense_is_unwell_in_words(dialect: Dialect) -> None:
    async with serving(Fake((b"<html>",))) as fake:
        assert await provider_at(fake, dialect).health() is not None


async def test_nobody_there_is_unavailable(dialect: Dialect) -> None:
    async with serving(Fake()) as fake:
        pass
    error = await failure_of(fake, dialect)
    assert isinstance(error, ProviderUnavailable)
    assert "refused the connection" in str(error)


async def test_no_first_token_in_time_is_unavailable(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, asyncio.Event()))) as fake:
        error = await failure_of(fake, dialect, HURRIED)
        await asyncio.wait_for(fake.left.wait(), WAIT_S)
    assert isinstance(error, ProviderUnavailable)
    assert "has not begun to answer" in str(error)


async def test_who_accepts_and_never_answers_is_unavailable(dialect: Dialect) -> None:
    async with serving(Fake(status=None)) as fake:
        error = await failure_of(fake, dialect, HURRIED)
        await asyncio.wait_for(fake.left.wait(), WAIT_S)
    assert isinstance(error, ProviderUnavailable)
    assert "has not begun to answer" in str(error)


async def test_cancelling_before_a_status_line_leaves_room_for_others(dialect: Dialect) -> None:
    async with serving(Fake(status=None)) as mute:
        readings = [asyncio.create_task(chunks_of(mute, dialect)) for _ in range(20)]
        await asyncio.wait_for(mute.arrived.wait(), WAIT_S)
        for reading in readings:
            reading.cancel()
        results = await asyncio.gather(*readings, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
    async with serving(Fake(dialect.whole)) as fake:
        answers = await asyncio.gather(*(chunks_of(fake, dialect) for _ in range(10)))
    assert [collect(chunks).content for chunks in answers] == ["Hello ✓"] * 10


async def test_silence_in_the_middle_is_unavailable(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.hello, asyncio.Event()))) as fake:
        error = await failure_of(fake, dialect, Patience(first_s=WAIT_S, between_s=0.1))
        await asyncio.wait_for(fake.left.wait(), WAIT_S)
    assert isinstance(error, ProviderUnavailable)
    assert "fell silent" in str(error)


async def test_the_whole_answer_may_be_bounded(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.hello, asyncio.Event()))) as fake:
        error = await failure_of(fake, dialect, Patience(total_s=0.2))
    assert isinstance(error, ProviderUnavailable)


async def test_too_many_requests_says_when_to_come_back(dialect: Dialect) -> None:
    async with serving(Fake(status=429, headers={"retry-after": "7"})) as fake:
        error = await failure_of(fake, dialect)
    assert isinstance(error, ProviderUnavailable)
    assert (error.status, error.retry_after_s, error.retryable) == (429, 7.0, True)


async def test_a_date_in_retry_after_is_held_against_the_answers_own(dialect: Dialect) -> None:
    headers = {
        "date": "Wed, 21 Oct 2026 07:28:00 GMT",
        "retry-after": "Wed, 21 Oct 2026 07:30:00 GMT",
    }
    async with serving(Fake(status=429, headers=headers)) as fake:
        error = await failure_of(fake, dialect)
    assert error.retry_after_s == 120.0


@pytest.mark.parametrize("status", [500, 502, 503, 529, 404, 302])
async def test_trouble_of_its_own_may_be_cured_elsewhere(dialect: Dialect, status: int) -> None:
    async with serving(Fake((dialect.refusal,), status=status)) as fake:
        error = await failure_of(fake, dialect)
    assert isinstance(error, ProviderUnavailable)
    assert error.retryable
    assert error.status == status


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_callers_mistake_is_cured_nowhere(dialect: Dialect, status: int) -> None:
    async with serving(Fake((dialect.refusal,), status=status)) as fake:
        error = await failure_of(fake, dialect)
    assert isinstance(error, ProviderRefused)
    assert not error.retryable


async def test_a_refusal_names_the_field_at_fault_and_nothing_else(dialect: Dialect) -> None:
    async with serving(Fake((dialect.refusal,), status=400)) as fake:
        error = await failure_of(fake, dialect)
    assert "temperature`" in str(error)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_bad_key_is_the_owners_so_another_provider_may_answer(
    dialect: Dialect, status: int
) -> None:
    async with serving(Fake(status=status)) as fake:
        error = await failure_of(fake, dialect)
    assert isinstance(error, ProviderRefused)
    assert error.retryable == provider_at(fake, dialect).leaves_house


async def test_a_cut_in_the_middle_is_no_answer(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.hello, CUT))) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_a_clean_close_without_an_end_is_no_answer(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.hello))) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_an_empty_200_is_no_answer(dialect: Dialect) -> None:
    async with serving(Fake()) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_what_is_not_its_format_is_no_answer(dialect: Dialect) -> None:
    async with serving(Fake((*dialect.hello, dialect.malformed))) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_html_instead_of_an_answer_is_no_answer(dialect: Dialect) -> None:
    async with serving(Fake((b"<html><body>Welcome</body></html>\n\n",))) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_an_error_event_is_no_answer(dialect: Dialect) -> None:
    steps = (dialect.opening, *dialect.hello, dialect.error_event)
    async with serving(Fake(steps)) as fake:
        assert isinstance(await failure_of(fake, dialect), ProviderReplyInvalid)


async def test_what_goes_wrong_after_the_end_does_no_harm(dialect: Dialect) -> None:
    async with serving(Fake((*dialect.whole, CUT))) as fake:
        assert collect(await chunks_of(fake, dialect)).content == "Hello ✓"


async def test_closing_the_answer_closes_the_connection(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, *dialect.hello, asyncio.Event()))) as fake:
        async with aclosing(provider_at(fake, dialect).stream(ASKED, "some-model")) as chunks:
            async for chunk in chunks:
                if chunk.content:
                    break
        await asyncio.wait_for(fake.left.wait(), WAIT_S)


async def test_cancelling_the_reader_closes_the_connection(dialect: Dialect) -> None:
    async with serving(Fake((dialect.opening, asyncio.Event()))) as fake:
        reading = asyncio.create_task(chunks_of(fake, dialect))
        await asyncio.wait_for(fake.arrived.wait(), WAIT_S)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(fake.left.wait(), WAIT_S)


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("nonsense", 1), ("logprobs", True)])
async def test_what_it_has_no_word_for_is_refused_by_name(
    dialect: Dialect, field: str, value: object
) -> None:
    able = {"exo": {"nonsense", "logprobs"}, "ollama": {"logprobs"}}.get(dialect.kind, set())
    request = ChatRequest("m", ASKED.messages, params={field: value})
    async with serving(Fake(dialect.whole)) as fake:
        if field in able:
            await chunks_of(fake, dialect, request)
            assert fake.request.body[field] == value
            return
        with pytest.raises(ProviderRefused, match=f"`{field}`") as caught:
            await chunks_of(fake, dialect, request)
    assert caught.value.retryable
    assert fake.received == []
