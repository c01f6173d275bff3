"""What each provider puts on the wire, as its documentation and recordings show it."""

import json
from dataclasses import dataclass
from typing import Any


def sse(body: Any, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(body)}\n\n".encode()


def line(body: Any) -> bytes:
    return json.dumps(body).encode() + b"\n"


@dataclass(frozen=True)
class Dialect:
    """One provider's words for the same things; `thinking`, `hello` and `tool` are a few pieces."""

    kind: str
    path: str
    opening: bytes
    thinking: tuple[bytes, ...]  # "Let me " "see."
    hello: tuple[bytes, ...]  # "Hel" "lo ✓"
    ending: bytes  # stop, 12 tokens in of which 4 cached, 5 out
    tool: tuple[bytes, ...]  # weather({"city": "Bern"}), and the end
    error_event: bytes
    refusal: bytes  # a 400 that echoes the prompt
    models: bytes
    models_path: str
    malformed: bytes = b'data: {"choices": [{]\n\n'
    knows_cache: bool = True

    @property
    def whole(self) -> tuple[bytes, ...]:
        return (self.opening, *self.thinking, *self.hello, self.ending)


CANARY = "canary-4711"


def _exo(delta: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, **more.pop("choice", {})}
    head = {"id": "c0ffee", "object": "chat.completion", "created": 1, "model": "org/tiny"}
    return sse({**head, "choices": [choice], **more})


_EXO_USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}
_DONE = b"data: [DONE]\n\n"

EXO = Dialect(
    kind="exo",
    path="/v1/chat/completions",
    opening=b': keep-alive\n\n: prefill_progress {"PrefillProgressChunk":'
    b'{"model":"org/tiny","processed_tokens":12,"total_tokens":12}}\n\n',
    thinking=(_exo({"reasoning_content": "Let me "}), _exo({"reasoning_content": "see."})),
    hello=(_exo({"content": "Hel"}), _exo({"content": "lo ✓"})),
    ending=_exo({"content": ""}, choice={"finish_reason": "stop"}, usage=_EXO_USAGE)
    + b': generation_stats {"prompt_tps":10.0,"generation_tps":20.0,"prompt_tokens":12,'
    b'"generation_tokens":5,"peak_memory_usage":{"in_bytes":99},"prefix_cache_hit":"none"}\n\n'
    + _DONE,
    tool=(
        _exo(
            {
                "tool_calls": [
                    {
                        "id": "call_1",
                        "index": 0,
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
                    }
                ]
            },
            choice={"finish_reason": "tool_calls"},
            usage=_EXO_USAGE,
        )
        + _DONE,
    ),
    error_event=sse(
        {
            "error": {
                "message": f"Traceback: /opt/exo/runner.py {CANARY}",
                "type": "InternalServerError",
                "code": 500,
            }
        }
    )
    + _DONE,
    refusal=json.dumps(
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "temperature"],
                    "msg": f"Input should be … {CANARY}",
                    "input": CANARY,
                }
            ]
        }
    ).encode(),
    models=b'{"object": "list", "data": [{"id": "org/tiny"}, {"id": "org/large"}]}',
    models_path="/v1/models",
)


def _ollama(message: dict[str, Any], **more: Any) -> bytes:
    head = {"model": "tiny:1b", "created_at": "2026-01-01T00:00:00Z"}
    return line({**head, "message": {"role": "assistant", **message}, "done": False, **more})


_OLLAMA_END = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 3000000000,
    "load_duration": 250000000,
    "prompt_eval_count": 12,
    "prompt_eval_duration": 1000000000,
    "eval_count": 5,
    "eval_duration": 500000000,
}

OLLAMA = Dialect(
    kind="ollama",
    path="/api/chat",
    opening=b"",
    thinking=(
        _ollama({"content": "", "thinking": "Let me "}),
        _ollama({"content": "", "thinking": "see."}),
    ),
    hello=(_ollama({"content": "Hel"}), _ollama({"content": "lo ✓"})),
    ending=_ollama({"content": ""}, **_OLLAMA_END),
    tool=(
        _ollama(
            {
                "content": "",
                "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Bern"}}}],
            }
        ),
        _ollama({"content": ""}, **_OLLAMA_END),
    ),
    error_event=line({"error": f"an error was encountered: /usr/lib/x {CANARY}"}),
    refusal=json.dumps({"error": f'invalid option "temperature" near {CANARY}'}).encode(),
    models=b'{"models": [{"name": "org/tiny", "size": 1}, {"name": "org/large", "size": 2}]}',
    models_path="/api/tags",
    malformed=b'{"message": {"content": "Hel"},\n',
    knows_cache=False,
)


def _gemini(*parts: dict[str, Any], **more: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    candidate |= more.pop("candidate", {})
    head = {"modelVersion": "gemini-tiny", "responseId": "r1"}
    return sse({"candidates": [candidate], **more, **head})


_GEMINI_USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 2,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 17,
}

GEMINI = Dialect(
    kind="gemini",
    path="/v1beta/models/some-model:streamGenerateContent?alt=sse",
    opening=b"",
    thinking=(
        _gemini({"text": "Let me ", "thought": True}),
        _gemini({"text": "see.", "thought": True}),
    ),
    hello=(_gemini({"text": "Hel"}), _gemini({"text": "lo ✓"})),
    ending=_gemini(
        {"text": "", "thoughtSignature": "c2ln"},
        candidate={"finishReason": "STOP"},
        usageMetadata=_GEMINI_USAGE,
    ),
    tool=(
        _gemini(
            {
                "functionCall": {"name": "weather", "args": {"city": "Bern"}},
                "thoughtSignature": "c2ln",
            }
        ),
        _gemini({"text": ""}, candidate={"finishReason": "STOP"}, usageMetadata=_GEMINI_USAGE),
    ),
    error_event=sse({"error": {"code": 500, "message": CANARY, "status": "INTERNAL"}}),
    refusal=json.dumps(
        {
            "error": {
                "code": 400,
                "message": f"Invalid value at 'generation_config.temperature' {CANARY}",
                "status": "INVALID_ARGUMENT",
            }
        }
    ).encode(),
    models=json.dumps(
        {
            "models": [
                {"name": "models/org/tiny", "supportedGenerationMethods": ["generateContent"]},
                {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]},
                {"name": "models/org/large", "supportedGenerationMethods": ["generateContent"]},
            ]
        }
    ).encode(),
    models_path="/v1beta/models?pageSize=1000",
    malformed=b'data: {"candidates": [{]\r\n\r\n',
)


def _claude(kind: str, **body: Any) -> bytes:
    return sse({"type": kind, **body}, kind)


def _block(index: int, **block: Any) -> bytes:
    return _claude("content_block_start", index=index, content_block=block)


def _claude_delta(index: int, **delta: Any) -> bytes:
    return _claude("content_block_delta", index=index, delta=delta)


def _claude_end(reason: str) -> bytes:
    usage = {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}
    delta = {"stop_reason": reason, "stop_sequence": None}
    return _claude("message_delta", delta=delta, usage=usage) + _claude("message_stop")


CLAUDE = Dialect(
    kind="claude",
    path="/v1/messages",
    opening=_claude(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-tiny",
            "content": [],
            "stop_reason": None,
            "usage": {
                "input_tokens": 6,
                "cache_read_input_tokens": 4,
                "cache_creation_input_tokens": 2,
                "output_tokens": 1,
            },
        },
    )
    + _claude("ping"),
    thinking=(
        _block(0, type="thinking", thinking="", signature="")
        + _claude_delta(0, type="thinking_delta", thinking="Let me "),
        _claude_delta(0, type="thinking_delta", thinking="see.")
        + _claude_delta(0, type="signature_delta", signature="c2ln")
        + _claude("content_block_stop", index=0),
    ),
    hello=(
        _block(1, type="text", text="") + _claude_delta(1, type="text_delta", text="Hel"),
        _claude_delta(1, type="text_delta", text="lo ✓") + _claude("content_block_stop", index=1),
    ),
    ending=_claude_end("end_turn"),
    tool=(
        _block(0, type="tool_use", id="toolu_1", name="weather", input={}),
        _claude_delta(0, type="input_json_delta", partial_json=""),
        _claude_delta(0, type="input_json_delta", partial_json='{"city": '),
        _claude_delta(0, type="input_json_delta", partial_json='"Bern"}'),
        _claude("content_block_stop", index=0),
        _claude_end("tool_use"),
    ),
    error_event=_claude(
        "error", error={"type": "overloaded_error", "message": f"Overloaded {CANARY}"}
    ),
    refusal=json.dumps(
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": f"`temperature` is deprecated for this model. {CANARY}",
            },
        }
    ).encode(),
    models=b'{"data": [{"type": "model", "id": "org/tiny"}, {"type": "model", "id": "org/large"}]}',
    models_path="/v1/models?limit=1000",
    malformed=b'event: content_block_delta\ndata: {"type": \n\n',
)

DIALECTS = (EXO, OLLAMA, GEMINI, CLAUDE)
