"""A prompt and its answer, whoever gives it: what was asked, the pieces as they come, the whole."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

JsonObject: TypeAlias = Mapping[str, Any]

# Fields that say who asks or how the answer travels, not what is asked.
IMMATERIAL = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "user",
    }
)

BYTES_PER_TOKEN = 4
MOST_TOKENS = 2**31 - 1  # in one answer; no database column takes more
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 1000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A prompt as its caller put it, in OpenAI's dialect.

    `messages` and `params` are kept as they came, so that a provider that speaks the dialect
    receives everything untouched. `params` holds every field besides `model`, `messages`,
    `stream` and `stream_options`, known to us or not; the properties read the known ones.
    """

    model: str
    messages: tuple[JsonObject, ...]
    stream: bool = False
    include_usage: bool = False  # whether a stream ends with a chunk of usage
    params: JsonObject = field(default_factory=dict)

    @property
    def temperature(self) -> float | None:
        return self.params.get("temperature")

    @property
    def seed(self) -> int | None:
        return self.params.get("seed")

    @property
    def max_tokens(self) -> int | None:
        """The caller's bound on the answer under either of its names; None means none given."""
        newer: int | None = self.params.get("max_completion_tokens")
        return newer if newer is not None else self.params.get("max_tokens")

    @property
    def stop(self) -> tuple[str, ...]:
        stop = self.params.get("stop")
        return (stop,) if isinstance(stop, str) else tuple(stop or ())

    @property
    def tools(self) -> tuple[JsonObject, ...]:
        return tuple(self.params.get("tools") or ())


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: `arguments` of one `index` are joined into a JSON text.

    `extra` is what a provider wants back with the call in the next turn (OpenAI's
    `extra_content`); None where it wants nothing.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    extra: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the prompt has been read, in tokens."""

    done_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. None means the provider did not say.

    `prompt_tokens` includes those cached and those written to a cache, `completion_tokens`
    those of reasoning.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def is_possible(self) -> bool:
        """Whether all of it can have been counted. What can't is neither learned nor remembered."""
        counts = (
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.reasoning_tokens,
            self.cache_write_tokens,
        )
        return all(count is None or 0 <= count <= MOST_TOKENS for count in counts)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a local provider measured of its own work; None where it did not say.

    `prefix_cache` is exo's word: `none`, `partial` or `exact`.
    """

    prompt_tokens_per_s: float | None = None
    generation_tokens_per_s: float | None = None
    peak_memory_bytes: int | None = None
    prefix_cache: str | None = None
    load_ms: float | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One piece of an answer. Each field is empty or None where the piece does not bring it.

    `id` is the provider's name for the answer (exo: the command id, which cancels it and finds
    its task); `model` is what truly answers. `logprobs` is in OpenAI's form.
    `finish_reason` is OpenAI's: stop, length, tool_calls, content_filter.
    Every token makes one: as a dataclass that would take ten times as long (measured).
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: JsonObject | None = None
    progress: Progress | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    stats: Stats | None = None
    id: str | None = None
    model: str | None = None

    @property
    def has_output(self) -> bool:
        """Whether it holds something of the answer itself: the first such ends the wait."""
        return bool(self.content or self.reasoning or self.tool_calls)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A finished tool call; `arguments` is the JSON text the model wrote."""

    id: str | None
    name: str
    arguments: str
    extra: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `finish_reason` is None where the pieces ended without one."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: JsonObject | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    stats: Stats | None = None
    id: str | None = None
    model: str | None = None


class Collector:
    """Pieces in, the whole out; may be asked at any moment for what there is so far."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}
        self._logprobs: list[Any] = []
        self._latest: dict[str, Any] = {}

    def add(self, chunk: Chunk) -> None:
        self._content.append(chunk.content)
        self._reasoning.append(chunk.reasoning)
        for delta in chunk.tool_calls:
            self._calls.setdefault(delta.index, []).append(delta)
        if chunk.logprobs is not None:
            self._logprobs.extend(chunk.logprobs.get("content") or ())
        for name in ("finish_reason", "usage", "stats", "id", "model"):
            value = getattr(chunk, name)
            if value is not None:
                self._latest[name] = value

    def completion(self) -> Completion:
        return Completion(
            content="".join(self._content),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(_joined(deltas) for _, deltas in sorted(self._calls.items())),
            logprobs={"content": list(self._logprobs)} if self._logprobs else None,
            **self._latest,
        )


def collect(chunks: Iterable[Chunk]) -> Completion:
    """The whole answer of `chunks`, in their order."""
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion()


def _joined(deltas: list[ToolCallDelta]) -> ToolCall:
    return ToolCall(
        id=next((d.id for d in deltas if d.id), None),
        name="".join(d.name or "" for d in deltas),
        arguments="".join(d.arguments for d in deltas),
        extra=next((d.extra for d in deltas if d.extra), None),
    )


def fingerprint(request: ChatRequest) -> str:
    """A sha256 that two requests share exactly when they ask the same thing.

    The order of messages matters, the order of keys does not; `1` and `1.0` are the same number,
    null and absent the same wish; who asks and how the answer travels are left out.
    """
    asked = {
        "model": request.model,
        "messages": request.messages,
        "params": {
            name: value
            for name, value in request.params.items()
            if value is not None and name not in IMMATERIAL
        },
    }
    text = json.dumps(_canonical(asked), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def is_deterministic(request: ChatRequest) -> bool:
    """Whether asking again may be answered from memory: temperature 0, or a seed."""
    return request.temperature == 0 or request.seed is not None


def estimate_prompt_tokens(request: ChatRequest) -> int:
    """About how many tokens the prompt has, before any tokenizer has seen it.

    A rule of thumb for buckets and forecasts, within some 30 % for prose: one token for four
    bytes of UTF-8 (an English word and its space; three CJK characters for two tokens or so),
    four around each message, a thousand an image. Tool definitions and calls are read like prose.
    """
    texts = [text for message in request.messages for text in message_texts(message)]
    spoken = sum(len(text.encode("utf-8", "replace")) for text in texts)
    calls = [message["tool_calls"] for message in request.messages if message.get("tool_calls")]
    structured = sum(len(json.dumps(part)) for part in (*request.tools, *calls))
    images = sum(_image_count(message) for message in request.messages)
    return (
        (spoken + structured) // BYTES_PER_TOKEN
        + TOKENS_PER_MESSAGE * len(request.messages)
        + TOKENS_PER_IMAGE * images
    )


def message_texts(message: JsonObject) -> list[str]:
    """The texts of a message, whether its content is a string, one part or a list of parts."""
    return [text for part in content_parts(message) if isinstance(text := part.get("text"), str)]


def content_parts(message: JsonObject) -> list[JsonObject]:
    """The content of a message as parts; a plain string is one text part."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, Mapping):
        return [content]
    return [part for part in content or () if isinstance(part, Mapping)]


def _image_count(message: JsonObject) -> int:
    return sum(part.get("type") == "image_url" for part in content_parts(message))
