"""A request body, checked: what exo would choke on is refused here, by the name of its field."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from ..chat import ChatRequest, JsonObject, content_parts, message_texts
from .errors import InvalidRequest

MAX_DEPTH = 64

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

# Built into exo for its own tests: each takes the runner down, for everyone who uses it.
# Source: exo 0.3.70, src/exo/worker/runner (_check_for_debug_prompts).
RUNNER_KILLERS = ("EXO RUNNER MUST FAIL", "EXO RUNNER MUST OOM", "EXO RUNNER MUST TIMEOUT")


def decode_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """JSON as Python values. Raises InvalidRequest where it is malformed or nested too deeply."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            "The body is not valid JSON; check its brackets and quotes."
        ) from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    if _is_deeper_than(value, max_depth):
        raise _too_deep(max_depth)
    return value


def _is_deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in inner if isinstance(item, dict | list))


def _too_deep(limit: int) -> InvalidRequest:
    return InvalidRequest(f"The body is nested more than {limit} levels deep; flatten it.")


def parse_request(body: Any) -> ChatRequest:
    """The request in a decoded body. Raises InvalidRequest, which names the field at fault."""
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object with `model` and `messages`.")
    for name, (is_right, wanted) in _KNOWN.items():
        if body.get(name) is not None and not is_right(body[name]):
            raise InvalidRequest(f"`{name}` must be {wanted}.", param=name, code="invalid_type")
    messages = _messages(body.get("messages"))
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    return ChatRequest(
        model=_model(body.get("model")),
        messages=messages,
        stream=bool(body.get("stream")),
        include_usage=_include_usage(body.get("stream_options")),
        params={name: value for name, value in body.items() if name not in _OWN},
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_stop(value: Any) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) for text in texts)


def _is_count(value: Any) -> bool:
    return _is_int(value) and value >= 0


_NUMBER = (_is_number, "a number")
_INTEGER = (_is_int, "an integer")
_COUNT = (_is_count, "an integer of 0 or more")
_BOOLEAN = (lambda value: isinstance(value, bool), "true or false")
_OBJECT = (lambda value: isinstance(value, dict), "an object")

_KNOWN: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "stream": _BOOLEAN,
    "stream_options": _OBJECT,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": _INTEGER,
    "min_p": _NUMBER,
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "seed": _INTEGER,
    "n": (lambda value: _is_int(value) and value > 0, "an integer of 1 or more"),
    "frequency_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "repetition_penalty": _NUMBER,
    "logprobs": _BOOLEAN,
    "top_logprobs": _COUNT,
    "logit_bias": _OBJECT,
    "stop": (_is_stop, "a string or a list of strings"),
    "tools": (_is_objects, "a list of objects"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "parallel_tool_calls": _BOOLEAN,
    "response_format": _OBJECT,
    "reasoning_effort": (lambda value: isinstance(value, str), "a string"),
}
_OWN = frozenset({"model", "messages", "stream", "stream_options"})


def _model(model: Any) -> str:
    if not isinstance(model, str) or not model.strip():
        raise InvalidRequest("`model` must name a model; GET /v1/models lists them.", param="model")
    return model


def _messages(messages: Any) -> tuple[JsonObject, ...]:
    if not isinstance(messages, list):
        raise InvalidRequest("`messages` must be a list of messages.", param="messages")
    if not messages:
        raise InvalidRequest(
            "`messages` is empty; an empty prompt crashes exo's runner for everyone on it. "
            "Send at least one message.",
            param="messages",
            code="empty_messages",
        )
    return tuple(messages)


def _check_message(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise InvalidRequest(f"`{where}` must be an object with a role.", param=where)
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidRequest(
            f"`{where}.role` must be one of {', '.join(sorted(ROLES))}.", param=f"{where}.role"
        )
    _check_content(message, where)
    _check_calls(message, where)
    _check_killers(message, where)


def _check_content(message: JsonObject, where: str) -> None:
    content = message.get("content")
    is_parts = isinstance(content, list) and len(content_parts(message)) == len(content)
    if isinstance(content, str | dict) or is_parts:
        return
    if content is None and message["role"] in ("assistant", "function"):
        return
    raise InvalidRequest(
        f"`{where}.content` must be a string or a list of content parts.",
        param=f"{where}.content",
    )


def _check_calls(message: JsonObject, where: str) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not _is_objects(calls) or not all(isinstance(c.get("function"), dict) for c in calls):
        raise InvalidRequest(
            f"`{where}.tool_calls` must be a list of calls, each with a `function`.",
            param=f"{where}.tool_calls",
        )


def _check_killers(message: JsonObject, where: str) -> None:
    texts = message_texts(message)
    for words in RUNNER_KILLERS:
        if any(words in text for text in (*texts, "".join(texts))):
            raise InvalidRequest(
                f"`{where}` contains “{words}”, words that are built into exo for its own tests: "
                "they take the model's runner down for everyone. Write them differently.",
                param=f"{where}.content",
                code="runner_test_words",
            )


def _include_usage(options: JsonObject | None) -> bool:
    return bool(options and options.get("include_usage"))
