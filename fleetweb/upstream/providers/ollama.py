"""Ollama as a provider: `/api/chat`, one JSON object a line.

Source: docs.ollama.com/api/chat and ollama/ollama `api/types.go`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ...core.chat import ChatRequest, Chunk, JsonObject, Stats, ToolCallDelta, Usage
from ...errors import ProviderReplyInvalid
from .dialect import (
    Image,
    as_json,
    called_names,
    chosen_tool,
    functions_of,
    is_instruction,
    new_call_id,
    parts_of,
    past_calls,
    refuse_unknown,
    wanted_schema,
    without_none,
)
from .faults import Fault, read_text, unable
from .wire import Call, WireProvider, read_json

TITLE = "Ollama"
LINE_LIMIT_BYTES = 4 * 1024 * 1024

# OpenAI's name of a sampling option -> Ollama's
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
}
_UNDERSTOOD = frozenset(
    {
        *_OPTIONS,
        "enable_thinking",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "reasoning_effort",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
        "top_logprobs",
    }
)
_EFFORTS: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}


class _Function(msgspec.Struct):
    name: str
    arguments: dict[str, Any] = {}


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct):
    message: _Message | None = None
    model: str | None = None
    done: bool = False
    done_reason: str | None = None
    error: Any = None
    logprobs: list[Any] | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class _Model(msgspec.Struct):
    name: str


class _Models(msgspec.Struct):
    models: list[_Model]


_line = msgspec.json.Decoder(_Line)


class OllamaProvider(WireProvider):
    """An Ollama server of the household's."""

    kind = "ollama"
    title = TITLE
    leaves_house = False

    async def models(self) -> tuple[str, ...]:
        tags = await self._asked("/api/tags", _Models, {})
        return tuple(model.name for model in tags.models)

    def _call(self, request: ChatRequest, model: str) -> Call:
        refuse_unknown(request, self.title, _UNDERSTOOD)
        names = called_names(request)
        body = without_none(
            model=model,
            messages=[self._message(message, names) for message in request.messages],
            stream=True,
            tools=self._tools(request),
            format=self._format(request),
            think=self._think(request),
            logprobs=request.params.get("logprobs"),
            top_logprobs=request.params.get("top_logprobs"),
            options=self._options(request) or None,
        )
        return Call(f"{self._url}/api/chat", body)

    def _message(self, message: JsonObject, names: Mapping[str, str]) -> dict[str, Any]:
        parts = parts_of(message, self.title)
        role = "system" if is_instruction(message) else message["role"]
        body = without_none(
            role=role,
            content="\n".join(part for part in parts if isinstance(part, str)),
            images=[self._base64(part) for part in parts if isinstance(part, Image)],
            thinking=message.get("reasoning_content"),
            tool_calls=[
                {"function": {"name": call.name, "arguments": call.arguments}}
                for call in past_calls(message, self.title)
            ],
        )
        if role == "tool":
            body["tool_name"] = names.get(str(message.get("tool_call_id")), "")
        return body

    def _base64(self, image: Image) -> str:
        if image.url is not None:
            raise unable(self.title, "image_url", "must hold the picture itself, as base64 data")
        return image.data

    def _tools(self, request: ChatRequest) -> list[JsonObject]:
        """Ollama decides by itself whether to call: it can be kept from it, but not told to."""
        choice = chosen_tool(request, self.title)
        if choice not in (None, "auto", "none"):
            raise unable(
                self.title, "tool_choice", "asks it to call a tool, which it cannot promise"
            )
        functions = functions_of(request, self.title)
        return [] if choice == "none" else [{"type": "function", "function": f} for f in functions]

    def _format(self, request: ChatRequest) -> str | JsonObject | None:
        kind, schema = wanted_schema(request)
        return {"json_object": "json", "json_schema": schema}.get(kind)

    def _think(self, request: ChatRequest) -> bool | str | None:
        effort = request.params.get("reasoning_effort")
        if effort is None:
            return request.params.get("enable_thinking")
        if effort not in _EFFORTS:
            raise unable(self.title, "reasoning_effort", "is none of its levels")
        return _EFFORTS[effort]

    def _options(self, request: ChatRequest) -> dict[str, Any]:
        told = {theirs: request.params.get(ours) for ours, theirs in _OPTIONS.items()}
        # 0 is unlimited in exo's dialect, and nothing at all in Ollama's
        bound = -1 if request.max_tokens == 0 else request.max_tokens
        return without_none(**told, num_predict=bound, stop=list(request.stop))

    def _decoder(self) -> "OllamaDecoder":
        return OllamaDecoder()

    def _fault(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Fault:
        return read_text(body.get("error"), None, sent)


class OllamaDecoder:
    """Ollama's lines. Complete with `done: true`."""

    def __init__(self) -> None:
        self.finished = False
        self.closed = False
        self._pending = b""
        self._calls = 0

    def feed(self, data: bytes) -> Iterator[Chunk]:
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > LINE_LIMIT_BYTES:
            raise ProviderReplyInvalid("Ollama sent a line too long to hold.")
        for line in lines:
            if line.strip() and not self.closed:
                yield self._of(line)

    def end(self) -> Iterator[Chunk]:
        """The last line needs no newline, but it must be whole."""
        return self.feed(b"\n")

    def _of(self, text: bytes) -> Chunk:
        line = read_json(_line, text, TITLE)
        if line.error is not None:
            raise ProviderReplyInvalid("Ollama failed over this request.")
        message = line.message or _Message()
        deltas = tuple(self._delta(call) for call in message.tool_calls or ())
        self.finished = self.closed = line.done
        return Chunk(
            content=message.content or "",
            reasoning=message.thinking or "",
            tool_calls=deltas,
            logprobs={"content": line.logprobs} if line.logprobs else None,
            finish_reason=self._reason(line) if line.done else None,
            usage=_usage(line),
            stats=_stats(line) if line.done else None,
            model=line.model,
        )

    def _delta(self, call: _ToolCall) -> ToolCallDelta:
        """Calls come whole, and without an id in older versions."""
        index, self._calls = self._calls, self._calls + 1
        function = call.function
        return ToolCallDelta(
            index, call.id or new_call_id(), function.name, as_json(function.arguments)
        )

    def _reason(self, line: _Line) -> str:
        if line.done_reason == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"


def _usage(line: _Line) -> Usage | None:
    if line.prompt_eval_count is None or line.eval_count is None:
        return None
    return Usage(line.prompt_eval_count, line.eval_count)


def _stats(line: _Line) -> Stats:
    return Stats(
        prompt_tokens_per_s=_rate(line.prompt_eval_count, line.prompt_eval_duration),
        generation_tokens_per_s=_rate(line.eval_count, line.eval_duration),
        load_ms=None if line.load_duration is None else line.load_duration / 1e6,
    )


def _rate(tokens: int | None, nanoseconds: int | None) -> float | None:
    return tokens * 1e9 / nanoseconds if tokens and nanoseconds else None
