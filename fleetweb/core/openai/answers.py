"""Answers in OpenAI's standard form, whatever form they came in."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..chat import Chunk, Completion, Progress, Stats, ToolCall, ToolCallDelta, Usage

_DONE = b"data: [DONE]\n\n"


def comment(text: str) -> bytes:
    """An SSE comment, which clients skip: progress for those who look, life for proxies."""
    return b": " + " ".join(text.split()).encode() + b"\n\n"


def done() -> bytes:
    """The end of a stream that came to its end."""
    return _DONE


class ChunkWriter:
    """Pieces in, standard `chat.completion.chunk` events out.

    The first delta brings the role, `finish_reason` is null until it is known, and with
    `include_usage` every chunk says `usage: null` until one without choices gives it.
    """

    def __init__(
        self, *, answer_id: str, created: int, model: str, include_usage: bool = False
    ) -> None:
        self.answer_id = answer_id
        self.created = created
        self.model = model
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._begun = False

    def write(self, chunk: Chunk) -> bytes:
        """What `chunk` becomes on the wire; empty where there is nothing to tell a client.

        Progress and stats become comments, in the form exo gives them.
        """
        return self._comments(chunk) + self._data(chunk)

    def _comments(self, chunk: Chunk) -> bytes:
        found = b""
        if chunk.progress is not None:
            found += comment(f"prefill_progress {_progress(chunk.progress, self.model)}")
        if chunk.stats is not None:
            found += comment(f"generation_stats {_stats(chunk.stats)}")
        return found

    def _data(self, chunk: Chunk) -> bytes:
        if chunk.usage is not None:
            self._usage = chunk.usage
        delta = _delta(chunk)
        if not delta and chunk.finish_reason is None and chunk.logprobs is None:
            return b""
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": "", **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": chunk.logprobs,
            "finish_reason": chunk.finish_reason,
        }
        return self._event([choice], None)

    def end(self) -> bytes:
        """What closes a complete answer: the usage, if it was asked for, and `[DONE]`."""
        if not self._include_usage:
            return _DONE
        usage = usage_body(self._usage) if self._usage else None
        return self._event([], usage) + _DONE

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        body: dict[str, Any] = {
            "id": self.answer_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if self._include_usage:
            body["usage"] = usage
        return b"data: " + msgspec.json.encode(body) + b"\n\n"


def _progress(progress: Progress, model: str) -> str:
    body = {
        "model": model,
        "processed_tokens": progress.done_tokens,
        "total_tokens": progress.total_tokens,
    }
    return msgspec.json.encode({"PrefillProgressChunk": body}).decode()


def _stats(stats: Stats) -> str:
    memory = stats.peak_memory_bytes
    body = {
        "prompt_tps": stats.prompt_tokens_per_s,
        "generation_tps": stats.generation_tokens_per_s,
        "peak_memory_usage": None if memory is None else {"in_bytes": memory},
        "prefix_cache_hit": stats.prefix_cache,
    }
    told = {name: value for name, value in body.items() if value is not None}
    return msgspec.json.encode(told).decode()


def _delta(chunk: Chunk) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    if chunk.content:
        delta["content"] = chunk.content
    if chunk.reasoning:
        delta["reasoning_content"] = chunk.reasoning
    if chunk.tool_calls:
        delta["tool_calls"] = [_call_delta(call) for call in chunk.tool_calls]
    return delta


def _call_delta(call: ToolCallDelta) -> dict[str, Any]:
    """The first piece of a call carries its id, type and name; the rest only arguments."""
    function = {"arguments": call.arguments}
    if call.name is None:
        return {"index": call.index, "function": function}
    body: dict[str, Any] = {"index": call.index, "type": "function"}
    if call.id is not None:
        body["id"] = call.id
    if call.extra is not None:
        body["extra_content"] = call.extra
    return {**body, "function": {"name": call.name, **function}}


def completion_body(
    completion: Completion,
    *,
    answer_id: str,
    created: int,
    model: str,
) -> dict[str, Any]:
    """A whole answer as `chat.completion`; `usage` is null where the provider did not say."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": completion.content or (None if completion.tool_calls else ""),
        "refusal": None,
    }
    if completion.reasoning:
        message["reasoning_content"] = completion.reasoning
    if completion.tool_calls:
        message["tool_calls"] = [_call(call) for call in completion.tool_calls]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": completion.logprobs,
        "finish_reason": completion.finish_reason,
    }
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": usage_body(completion.usage) if completion.usage else None,
    }


def _call(call: ToolCall) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    return body if call.extra is None else {**body, "extra_content": call.extra}


def usage_body(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's form; what the provider did not say is left out, not 0."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        body["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return body


def model_list(models: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """`GET /v1/models`. Each entry has at least an `id`; what else it has is kept."""
    return {
        "object": "list",
        "data": [{"object": "model", "created": 0, "owned_by": "fleetweb", **m} for m in models],
    }
