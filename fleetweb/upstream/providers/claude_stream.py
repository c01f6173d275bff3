"""What Claude answers: its stream of events, as chunks.

Source: platform.claude.com/docs/en/build-with-claude/streaming.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ...core.chat import Chunk, ToolCallDelta, Usage
from ...core.sse import Event, SseParser
from ...errors import ProviderReplyInvalid
from .wire import read_json, read_sse

TITLE = "Claude"

_REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    """Counts are cumulative; `input_tokens` leaves out what a cache took."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


_event = msgspec.json.Decoder(_Event)


class ClaudeDecoder:
    """Claude's stream. Complete with a `stop_reason`, over with `message_stop`."""

    def __init__(self) -> None:
        self.finished = False
        self.closed = False
        self._parser = SseParser()
        self._usage = _Usage()
        self._tools: dict[int, int] = {}  # a content block's index -> its tool call's
        self._argued: set[int] = set()  # blocks whose arguments have begun

    def feed(self, data: bytes) -> Iterator[Chunk]:
        for item in read_sse(self._parser, data, TITLE):
            chunk = (
                self._of(read_json(_event, item.data, TITLE)) if isinstance(item, Event) else None
            )
            if chunk is not None:
                yield chunk
            if self.closed:
                return

    def end(self) -> Iterable[Chunk]:
        return ()

    def _of(self, event: _Event) -> Chunk | None:
        """A chunk, or None for pings, signatures and event types that are yet to be invented."""
        match event.type:
            case "error":
                raise ProviderReplyInvalid("Claude failed over this request.")
            case "message_start":
                return self._started(event.message or _Message())
            case "content_block_start" if event.content_block is not None:
                return self._block_started(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                return self._delta(event.index, event.delta)
            case "content_block_stop":
                return self._block_stopped(event.index)
            case "message_delta":
                return self._finishing(event)
            case "message_stop":
                self.closed = True
        return None

    def _started(self, message: _Message) -> Chunk:
        self._note(message.usage)
        return Chunk(id=message.id, model=message.model)

    def _block_started(self, index: int, block: _Block) -> Chunk | None:
        if block.type == "tool_use":
            call = self._tools[index] = len(self._tools)
            return Chunk(tool_calls=(ToolCallDelta(call, block.id, block.name or ""),))
        if block.text or block.thinking:
            return Chunk(content=block.text or "", reasoning=block.thinking or "")
        return None

    def _delta(self, index: int, delta: _Delta) -> Chunk | None:
        if delta.text:
            return Chunk(content=delta.text)
        if delta.thinking:
            return Chunk(reasoning=delta.thinking)
        if delta.partial_json and index in self._tools:
            self._argued.add(index)
            call = ToolCallDelta(self._tools[index], arguments=delta.partial_json)
            return Chunk(tool_calls=(call,))
        return None

    def _block_stopped(self, index: int) -> Chunk | None:
        """A call without arguments says nothing at all, where OpenAI's clients expect `{}`."""
        if index not in self._tools or index in self._argued:
            return None
        return Chunk(tool_calls=(ToolCallDelta(self._tools[index], arguments="{}"),))

    def _finishing(self, event: _Event) -> Chunk:
        self._note(event.usage)
        stopped = event.delta.stop_reason if event.delta else None
        self.finished = self.finished or stopped is not None
        return Chunk(
            finish_reason=None if stopped is None else _REASONS.get(stopped, "stop"),
            usage=self._total(),
        )

    def _note(self, usage: _Usage | None) -> None:
        """Later counts replace earlier ones; what an event leaves out stays."""
        for name in _Usage.__struct_fields__:
            value = getattr(usage, name, None)
            if value is not None:
                setattr(self._usage, name, value)

    def _total(self) -> Usage | None:
        told = self._usage
        if told.input_tokens is None or told.output_tokens is None:
            return None
        cached, written = told.cache_read_input_tokens, told.cache_creation_input_tokens
        details = told.output_tokens_details
        return Usage(
            prompt_tokens=told.input_tokens + (cached or 0) + (written or 0),
            completion_tokens=told.output_tokens,
            cached_tokens=cached,
            reasoning_tokens=details.thinking_tokens if details else None,
            cache_write_tokens=written,
        )
