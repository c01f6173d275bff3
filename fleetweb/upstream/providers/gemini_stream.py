"""What Gemini answers: its stream of pieces, as chunks.

Source: ai.google.dev/api/generate-content (GenerateContentResponse).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ...core.chat import Chunk, ToolCallDelta, Usage
from ...core.sse import Event, SseParser
from ...errors import ProviderReplyInvalid
from .dialect import as_json, new_call_id
from .faults import identifier
from .wire import read_json, read_sse

TITLE = "Gemini"

_FINISHED = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERED = frozenset(
    {
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "LANGUAGE",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)


class _FunctionCall(msgspec.Struct):
    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] = []


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    """Counts of zero are left out on the wire."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    cached_content_token_count: int = 0


class _Piece(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] = []
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: dict[str, Any] | None = None


_piece = msgspec.json.Decoder(_Piece)


class GeminiDecoder:
    """Gemini's stream. Complete with a finish reason; it ends with the connection."""

    def __init__(self) -> None:
        self.finished = False
        self.closed = False
        self._parser = SseParser()
        self._calls = 0

    def feed(self, data: bytes) -> Iterator[Chunk]:
        for item in read_sse(self._parser, data, TITLE):
            if isinstance(item, Event):
                yield from self._of(item.data)

    def end(self) -> Iterable[Chunk]:
        return ()

    def _of(self, data: str) -> Iterator[Chunk]:
        piece = read_json(_piece, data, TITLE)
        if piece.error is not None:
            raise ProviderReplyInvalid("Gemini failed over this request.")
        candidate = piece.candidates[0] if piece.candidates else _Candidate()
        for part in candidate.content.parts if candidate.content else ():
            yield self._of_part(part)
        reason = self._reason(piece, candidate)
        self.finished = self.finished or reason is not None
        yield Chunk(
            finish_reason=reason,
            usage=_usage(piece.usage_metadata) if piece.usage_metadata and self.finished else None,
            id=piece.response_id,
            model=piece.model_version,
        )

    def _of_part(self, part: _Part) -> Chunk:
        if part.function_call is not None:
            return Chunk(tool_calls=(self._delta(part.function_call, part.thought_signature),))
        text = part.text or ""
        return Chunk(reasoning=text) if part.thought else Chunk(content=text)

    def _delta(self, call: _FunctionCall, signature: str | None) -> ToolCallDelta:
        index, self._calls = self._calls, self._calls + 1
        extra = {"google": {"thought_signature": signature}} if signature else None
        return ToolCallDelta(
            index, call.id or new_call_id(), call.name, as_json(call.args or {}), extra
        )

    def _reason(self, piece: _Piece, candidate: _Candidate) -> str | None:
        if piece.prompt_feedback is not None and piece.prompt_feedback.block_reason:
            return "content_filter"
        match candidate.finish_reason:
            case None | "FINISH_REASON_UNSPECIFIED":
                return None
            case "STOP" if self._calls:
                return "tool_calls"
            case reason if reason in _FINISHED:
                return _FINISHED[reason]
            case reason if reason in _FILTERED:
                return "content_filter"
            case reason:
                kind = identifier(reason) or "an unknown reason"
                raise ProviderReplyInvalid(f"Gemini gave up on its answer ({kind}).")


def _usage(usage: _Usage) -> Usage:
    return Usage(
        prompt_tokens=usage.prompt_token_count,
        completion_tokens=usage.candidates_token_count + usage.thoughts_token_count,
        cached_tokens=usage.cached_content_token_count,
        reasoning_tokens=usage.thoughts_token_count,
    )
