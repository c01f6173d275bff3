"""exo's own recorded streams, cut anywhere, and what of a request reaches it."""

import asyncio
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetweb.core.chat import ChatRequest, Chunk, Completion, Progress, collect
from fleetweb.errors import ProviderRefused, ProviderReplyInvalid, ProviderUnavailable
from fleetweb.upstream.providers import Patience, ProviderConfig
from fleetweb.upstream.providers.exo import ExoDecoder, ExoProvider
from tests.recordings import RECORDINGS, load, needs_recordings

from .asking import sent
from .fake import CUT, WAIT_S, Fake, serving

COMPLETE = {
    "chat-stream.sse": ("length", 24, 49),
    "chat-stream-logprobs.sse": ("length", 5, 49),
    "chat-stream-stop.sse": ("stop", 1, 49),
    "chat-stream-thinking.sse": ("length", 12, 14),
    "gen-stream-150.sse": ("length", 150, 37),
}
INCOMPLETE = {
    "chat-stream-cancelled.sse",
    "chat-stream-instance-deleted.sse",
    "kill-worker-in-instance-stream.sse",
}
FAILED = "chat-stream-runner-must-fail.sse"


def decoded(pieces: list[bytes]) -> tuple[Completion, bool]:
    """What the pieces amount to, and whether they are a complete answer."""
    decoder = ExoDecoder()
    chunks: list[Chunk] = []
    for piece in pieces:
        chunks.extend(decoder.feed(piece))
    return collect(chunks), decoder.finished


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces of any size."""
    places = draw(st.lists(st.integers(0, len(data)), max_size=60))
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def recording(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def recorded_texts(data: bytes, field: str) -> str:
    """The texts by another way than the one under test."""
    found = re.findall(rf'"{field}":("(?:[^"\\]|\\.)*")', data.decode())
    return "".join(json.loads(text) for text in found)


@needs_recordings
def test_every_recorded_stream_is_accounted_for() -> None:
    known = {*COMPLETE, *INCOMPLETE, FAILED}
    assert {path.name for path in Path(RECORDINGS).glob("*.sse")} == known


@needs_recordings
@pytest.mark.parametrize("name", sorted(COMPLETE))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_recorded_answer_is_the_same_however_it_is_cut(name: str, data: st.DataObject) -> None:
    raw = recording(name)
    completion, finished = decoded(data.draw(cuts(raw)))
    reason, completion_tokens, prompt_tokens = COMPLETE[name]
    assert finished
    assert completion.finish_reason == reason
    assert completion.usage is not None
    assert completion.usage.completion_tokens == completion_tokens
    assert completion.usage.prompt_tokens == prompt_tokens
    assert completion.content == recorded_texts(raw, "content")
    assert completion.reasoning == recorded_texts(raw, "reasoning_content")
    assert completion.stats is not None
    assert completion.stats.peak_memory_bytes is not None


@needs_recordings
@pytest.mark.parametrize("name", sorted(INCOMPLETE))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_recorded_break_is_not_taken_for_an_end(name: str, data: st.DataObject) -> None:
    raw = recording(name)
    completion, finished = decoded(data.draw(cuts(raw)))
    assert not finished
    assert completion.content == recorded_texts(raw, "content")


@needs_recordings
def test_a_recorded_failure_is_told_without_exos_words() -> None:
    with pytest.raises(ProviderReplyInvalid) as caught:
        decoded([recording(FAILED)])
    assert "Artificial" not in str(caught.value)


@needs_recordings
def test_recorded_progress_comes_before_the_answer() -> None:
    chunks = list(ExoDecoder().feed(recording("gen-stream-150.sse")))
    progress = [chunk.progress for chunk in chunks if chunk.progress]
    assert progress == [Progress(0, 33), Progress(32, 33), Progress(33, 33)]
    assert all(chunk.progress for chunk in chunks[:3])


@needs_recordings
def test_recorded_logprobs_are_kept_whole() -> None:
    completion, _ = decoded([recording("chat-stream-logprobs.sse")])
    assert completion.logprobs is not None
    first = completion.logprobs["content"][0]
    assert first["token"] == "uses"
    assert [top["token"] for top in first["top_logprobs"]] == ["uses", "ile"]


@needs_recordings
@pytest.mark.parametrize("name", [*sorted(COMPLETE), *sorted(INCOMPLETE)])
async def test_a_recorded_stream_over_a_socket_ends_as_it_did(name: str) -> None:
    async with serving(Fake((recording(name),))) as fake:
        provider = ExoProvider(ProviderConfig(fake.url))
        stream = provider.stream(ChatRequest("m", ({"role": "user", "content": "hi"},)), "m")
        if name in COMPLETE:
            assert collect([c async for c in stream]).finish_reason == COMPLETE[name][0]
        else:
            with pytest.raises(ProviderReplyInvalid, match="broke off"):
                [c async for c in stream]


@needs_recordings
async def test_the_recorded_empty_answer_of_a_failed_runner_is_a_failure() -> None:
    recorded = load("chat-nonstream-runner-must-fail.json")
    async with serving(Fake((recorded["body"].encode(),), status=recorded["status"])) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(asking(), "m")
        with pytest.raises(ProviderReplyInvalid):
            [c async for c in stream]


@needs_recordings
@pytest.mark.parametrize("name", ["chat-nonstream.json", "chat-nonstream-thinking.json"])
async def test_an_answer_that_is_no_stream_is_not_taken_for_one(name: str) -> None:
    body = json.dumps(load(name)["body"]).encode()
    async with serving(Fake((body,))) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(asking(), "m")
        with pytest.raises(ProviderReplyInvalid):
            [c async for c in stream]


@needs_recordings
@pytest.mark.parametrize(
    ("case", "field"), [("bad-role", "messages.0.role"), ("max-tokens-string", "max_tokens")]
)
async def test_a_recorded_422_names_its_field(case: str, field: str) -> None:
    recorded = load("errors.json")[case]
    request = ChatRequest("m", asking().messages, params={"max_tokens": 3})
    body = json.dumps(recorded["response"]["body"]).encode()
    async with serving(Fake((body,), status=422)) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(request, "m")
        with pytest.raises(ProviderRefused, match=f"`{field}`"):
            [c async for c in stream]


@needs_recordings
async def test_a_recorded_404_means_the_model_is_not_there() -> None:
    recorded = load("errors.json")["model-known-not-placed"]["response"]
    body = json.dumps(recorded["body"]).encode()
    async with serving(Fake((body,), status=recorded["status"])) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(asking(), "org/model")
        with pytest.raises(ProviderUnavailable, match="does not have the model org/model"):
            [c async for c in stream]


def asking(**params: object) -> ChatRequest:
    return ChatRequest("m", ({"role": "user", "content": "hi"},), params=params)


DONE = b"data: [DONE]\n\n"


async def sent_body(request: ChatRequest) -> dict[str, Any]:
    return await sent("exo", (DONE,), request, "org/real")


async def test_every_field_reaches_exo_untouched() -> None:
    params = {
        "temperature": 1,
        "stop": "END",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [None]}}}],
        "logit_bias": {"7": -1},
        "chat_template_kwargs": {"deep": [1, {"x": None}]},
        "enable_thinking": False,
    }
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}], "odd": 1}
    body = await sent_body(ChatRequest("alias", (message,), params=params))
    assert body == {**params, "model": "org/real", "messages": [message], "stream": True}


async def test_the_newer_name_of_the_bound_reaches_exo_by_the_name_it_knows() -> None:
    assert (await sent_body(asking(max_completion_tokens=7)))["max_tokens"] == 7
    assert (await sent_body(asking(max_completion_tokens=7, max_tokens=5)))["max_tokens"] == 5


async def test_done_without_a_reason_still_ends_the_answer() -> None:
    async with serving(Fake((DONE, CUT))) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(asking(), "m")
        assert collect([c async for c in stream]).finish_reason == "stop"


def test_a_comment_that_cannot_be_read_costs_only_itself() -> None:
    data = b": prefill_progress {oops\n\n: generation_stats []\n\n: later_news 7\n\n" + DONE
    assert [chunk.finish_reason for chunk in ExoDecoder().feed(data)] == ["stop"]


def test_an_answer_that_ends_in_error_is_no_answer() -> None:
    data = b'data: {"choices": [{"delta": {}, "finish_reason": "error"}]}\n\n'
    with pytest.raises(ProviderReplyInvalid):
        list(ExoDecoder().feed(data))


KEEP_ALIVE = b": keep-alive\n\n"


async def test_keep_alives_do_not_put_off_the_deadline() -> None:
    drip = (KEEP_ALIVE, 0.02) * 500
    async with serving(Fake(drip)) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(
            asking(), "m", patience=Patience(first_s=0.2)
        )
        with pytest.raises(ProviderUnavailable, match="has not begun to answer"):
            [c async for c in stream]
        await asyncio.wait_for(fake.left.wait(), WAIT_S)


async def test_progress_puts_off_the_deadline() -> None:
    progress = (
        b': prefill_progress {"PrefillProgressChunk":{"processed_tokens":1,"total_tokens":9}}'
    )
    drip = (progress + b"\n\n", 0.05) * 8
    async with serving(Fake((*drip, DONE))) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(
            asking(), "m", patience=Patience(first_s=0.3)
        )
        assert len([c async for c in stream if c.progress]) == 8


async def test_a_door_without_a_pulse_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExoProvider, "pulse_s", 0.1)
    async with serving(Fake((KEEP_ALIVE, asyncio.Event()))) as fake:
        stream = ExoProvider(ProviderConfig(fake.url)).stream(asking(), "m")
        with pytest.raises(ProviderUnavailable, match=f"exo at {fake.url} has sent nothing at all"):
            [c async for c in stream]
