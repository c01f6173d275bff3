"""exo as a provider: it speaks OpenAI's dialect, so requests reach it as they came.

It is always asked to stream: its other way hides failures behind an empty 200. Progress, stats
and signs of life stand in SSE comments. Source: exo 0.3.70, `src/exo/api`, and its recordings.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ...core.chat import ChatRequest, Chunk, JsonObject, Progress, Stats, ToolCallDelta, Usage
from ...core.sse import Comment, SseParser
from ...errors import ProviderError, ProviderReplyInvalid
from .faults import Fault, identifier, unable
from .wire import Call, WireProvider, read_json, read_sse

TITLE = "exo"


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    function: _Function
    index: int | None = None
    id: str | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Piece(msgspec.Struct):
    choices: list[_Choice] = []
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | str | None = None


class _Prefill(msgspec.Struct):
    processed_tokens: int
    total_tokens: int


class _PrefillComment(msgspec.Struct):
    PrefillProgressChunk: _Prefill


class _Memory(msgspec.Struct):
    in_bytes: int


class _StatsComment(msgspec.Struct):
    prompt_tps: float | None = None
    generation_tps: float | None = None
    peak_memory_usage: _Memory | None = None
    prefix_cache_hit: str | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_piece = msgspec.json.Decoder(_Piece)
_prefill = msgspec.json.Decoder(_PrefillComment)
_stats = msgspec.json.Decoder(_StatsComment)


class ExoProvider(WireProvider):
    """One door of an exo cluster."""

    kind = "exo"
    title = TITLE
    leaves_house = False
    pulse_s = 30.0  # 200 at once (3 s in an election), then a keep-alive every 10 s

    async def models(self) -> tuple[str, ...]:
        """The models of its catalogue, placed or not."""
        models = await self._asked("/v1/models", _Models, {})
        return tuple(model.id for model in models.data)

    async def health(self) -> str | None:
        """Asked by the cheapest question: the catalogue is 60 KB."""
        try:
            await self._asked("/node_id", str, {})
        except ProviderError as error:
            return str(error)
        return None

    def _call(self, request: ChatRequest, model: str) -> Call:
        if (request.params.get("n") or 1) > 1:
            raise unable(self.title, "n", "asks for several answers, and it gives one")
        body = {
            **_bounded(request.params),
            "model": model,
            "messages": request.messages,
            "stream": True,
        }
        return Call(f"{self._url}/v1/chat/completions", body)

    def _decoder(self) -> "ExoDecoder":
        return ExoDecoder()

    def _fault(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Fault:
        """FastAPI's 422 echoes the input; only the path of the field at fault is taken."""
        details = body.get("detail")
        detail = details[0] if isinstance(details, list) and details else None
        if not isinstance(detail, Mapping) or not isinstance(detail.get("loc"), list):
            return Fault()
        path = [str(step) for step in detail["loc"] if step != "body"]
        known = bool(path) and path[0] in sent
        return Fault(
            field=identifier(".".join(path)) if known else None,
            kind=identifier(detail.get("type")),
        )


def _bounded(params: JsonObject) -> JsonObject:
    """exo knows only `max_tokens`, and is unbounded without: the newer name stands in for it."""
    newer = params.get("max_completion_tokens")
    if newer is None or params.get("max_tokens") is not None:
        return params
    return {**params, "max_tokens": newer}


class ExoDecoder:
    """exo's stream. Complete with a `finish_reason` or `[DONE]`, whichever comes first."""

    def __init__(self) -> None:
        self.finished = False
        self.closed = False
        self._parser = SseParser()

    def feed(self, data: bytes) -> Iterator[Chunk]:
        for item in read_sse(self._parser, data, TITLE):
            chunk = _of_comment(item.text) if isinstance(item, Comment) else self._of(item.data)
            if chunk is not None:
                yield chunk
            if self.closed:
                return

    def end(self) -> Iterable[Chunk]:
        return ()

    def _of(self, data: str) -> Chunk | None:
        if data.strip() == "[DONE]":
            was_finished, self.finished, self.closed = self.finished, True, True
            return None if was_finished else Chunk(finish_reason="stop")
        piece = read_json(_piece, data, TITLE)
        if piece.error is not None:
            raise ProviderReplyInvalid("exo's runner failed over this request.")
        return self._of_piece(piece)

    def _of_piece(self, piece: _Piece) -> Chunk:
        choice = piece.choices[0] if piece.choices else _Choice(delta=_Delta())
        if choice.finish_reason == "error":
            raise ProviderReplyInvalid("exo's runner failed over this request.")
        self.finished = self.finished or choice.finish_reason is not None
        return Chunk(
            content=choice.delta.content or "",
            reasoning=choice.delta.reasoning_content or "",
            tool_calls=_deltas(choice.delta.tool_calls or []),
            logprobs=choice.logprobs,
            finish_reason=choice.finish_reason,
            usage=_usage(piece.usage) if piece.usage else None,
            id=piece.id,
            model=piece.model,
        )


def _deltas(calls: list[_ToolCall]) -> tuple[ToolCallDelta, ...]:
    return tuple(
        ToolCallDelta(
            index=position if call.index is None else call.index,
            id=call.id,
            name=call.function.name,
            arguments=call.function.arguments,
        )
        for position, call in enumerate(calls)
    )


def _usage(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=prompt.cached_tokens if prompt else None,
        reasoning_tokens=completion.reasoning_tokens if completion else None,
    )


def _of_comment(text: str) -> Chunk | None:
    """Progress or stats; None for a keep-alive, which proves nothing, and for what is not known."""
    name, _, body = text.partition(" ")
    try:
        if name == "prefill_progress":
            prefill = _prefill.decode(body).PrefillProgressChunk
            return Chunk(progress=Progress(prefill.processed_tokens, prefill.total_tokens))
        if name == "generation_stats":
            return Chunk(stats=_measured(_stats.decode(body)))
    except msgspec.DecodeError:
        return None
    return None


def _measured(stats: _StatsComment) -> Stats:
    memory = stats.peak_memory_usage
    return Stats(
        prompt_tokens_per_s=stats.prompt_tps,
        generation_tokens_per_s=stats.generation_tps,
        peak_memory_bytes=memory.in_bytes if memory else None,
        prefix_cache=stats.prefix_cache_hit,
    )
