"""A request for text as exo understands it, and the task it becomes."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

DEADLY_WORDS = "EXO RUNNER MUST"  # exo's built-in test prompts begin so: FAIL, OOM, TIMEOUT


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller wants. `max_tokens` None or 0: until the model has finished."""

    model: str
    messages: tuple[Json, ...]
    stream: bool = False
    max_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    thinking: bool = True
    body: Json | None = None

    @property
    def prompt(self) -> str:
        return "\n".join(_text(message.get("content")) for message in self.messages)

    @property
    def kills(self) -> bool:
        """Whether the runner that gets it dies: exo 0.3.70 has no guard."""
        return not self.messages or DEADLY_WORDS in self.prompt

    def params(self) -> Json:
        """The `taskParams` of /state, snake_case, with the prompt in it twice as exo has it."""
        given = self.body or {}
        said = [{"role": m.get("role"), "content": _text(m.get("content"))} for m in self.messages]
        return {
            "model": self.model,
            "input": said,
            "instructions": None,
            "max_output_tokens": self.max_tokens,
            "temperature": given.get("temperature"),
            "top_p": given.get("top_p"),
            "stream": self.stream,
            "tools": given.get("tools"),
            "bench": False,
            "use_prefix_cache": False,
            "top_k": given.get("top_k"),
            "stop": given.get("stop"),
            "seed": given.get("seed"),
            "chat_template_messages": said,
            "reasoning_effort": given.get("reasoning_effort"),
            "enable_thinking": given.get("enable_thinking"),
            "logprobs": self.logprobs,
            "top_logprobs": self.top_logprobs or None,
            "min_p": given.get("min_p"),
            "repetition_penalty": given.get("repetition_penalty"),
            "repetition_context_size": None,
            "presence_penalty": given.get("presence_penalty"),
            "frequency_penalty": given.get("frequency_penalty"),
            "images": [],
            "image_hashes": {},
            "prefill_endpoint": None,
        }


def ask_from(body: Json) -> Ask:
    """A validated body as a request."""
    limit = body.get("max_tokens", body.get("max_completion_tokens"))
    return Ask(
        model=body["model"],
        messages=tuple(body["messages"]),
        stream=_truth(body.get("stream")),
        max_tokens=None if limit is None else int(limit),
        logprobs=_truth(body.get("logprobs")),
        top_logprobs=int(body.get("top_logprobs") or 0),
        thinking=body.get("enable_thinking") is not False,
        body=body,
    )


def _truth(given: object) -> bool:
    """Read as pydantic reads a boolean."""
    return given in (True, "true", "on", "yes", "1", "t")


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
