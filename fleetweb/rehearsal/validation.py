"""What exo says of a request it cannot read: pydantic's words, with the input echoed.

Source: exo 0.3.70, recorded 422 answers.
"""

import json
from typing import Any

Json = dict[str, Any]

ROLES = ("system", "user", "assistant", "developer", "tool", "function")
_TRUTHS = (True, False, 0, 1, "true", "false", "on", "off", "yes", "no", "1", "0", "t", "f")
_NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"


class UnreadableError(Exception):
    """A body that does not fit; `details` is the answer's `detail`."""

    def __init__(self, details: list[Json]) -> None:
        super().__init__(details[0]["msg"])
        self.details = details


def read_object(body: bytes, content_type: str) -> Json:
    """The body as a JSON object. Raises UnreadableError."""
    if not body:
        raise UnreadableError([problem("missing", [], "Field required", None)])
    if content_type and "json" not in content_type:
        said = body.decode(errors="replace")
        raise UnreadableError([problem("model_attributes_type", [], _NOT_AN_OBJECT, said)])
    value = _decode(body)
    if not isinstance(value, dict):
        raise UnreadableError([problem("model_attributes_type", [], _NOT_AN_OBJECT, value)])
    return value


def _decode(body: bytes) -> object:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise UnreadableError([_not_json(error.pos, error.msg)]) from error
    except UnicodeDecodeError as error:
        raise UnreadableError([_not_json(0, "Expecting value")]) from error


def _not_json(position: int, reason: str) -> Json:
    said = problem("json_invalid", [position], "JSON decode error", {})
    return said | {"ctx": {"error": reason}}


def problem(kind: str, loc: list[str | int], msg: str, given: object) -> Json:
    return {"type": kind, "loc": ["body", *loc], "msg": msg, "input": given}


def check_chat(body: Json) -> None:
    """Whether it is a chat request. Raises UnreadableError with everything that is wrong."""
    problems = missing(body, "model", "messages")
    problems += _strings(body, "model")
    problems += _messages(body.get("messages", []))
    problems += [p for name in ("stream", "logprobs") for p in _boolean(body, name)]
    problems += [p for name in ("max_tokens", "top_logprobs") for p in _integer(body, name)]
    if problems:
        raise UnreadableError(problems)


def check_placing(body: Json) -> None:
    problems = missing(body, "model_id") + _strings(body, "model_id")
    problems += _choice(body, "sharding", "'Tensor' or 'Pipeline'", ("Tensor", "Pipeline"))
    problems += _choice(body, "instance_meta", "'MlxRing' or 'MlxJaccl'", ("MlxRing", "MlxJaccl"))
    problems += _integer(body, "min_nodes")
    if problems:
        raise UnreadableError(problems)


def missing(body: Json, *names: str) -> list[Json]:
    return [
        problem("missing", [name], "Field required", body) for name in names if name not in body
    ]


def _strings(body: Json, name: str) -> list[Json]:
    if isinstance(body.get(name, ""), str):
        return []
    return [problem("string_type", [name], "Input should be a valid string", body[name])]


def _choice(body: Json, name: str, expected: str, allowed: tuple[str, ...]) -> list[Json]:
    if name not in body or body[name] in allowed:
        return []
    said = problem("enum", [name], f"Input should be {expected}", body[name])
    return [said | {"ctx": {"expected": expected}}]


def _boolean(body: Json, name: str) -> list[Json]:
    given = body.get(name)
    if given is None or (isinstance(given, bool | int | str) and given in _TRUTHS):
        return []
    msg = "Input should be a valid boolean, unable to interpret input"
    return [problem("bool_parsing", [name], msg, given)]


def _integer(body: Json, name: str) -> list[Json]:
    given = body.get(name)
    if given is None or isinstance(given, int) or (isinstance(given, str) and given.isdigit()):
        return []
    if isinstance(given, float) and given.is_integer():
        return []
    msg = "Input should be a valid integer, unable to parse string as an integer"
    return [problem("int_parsing", [name], msg, given)]


def _messages(messages: object) -> list[Json]:
    if not isinstance(messages, list):
        return [problem("list_type", ["messages"], "Input should be a valid list", messages)]
    return [p for number, message in enumerate(messages) for p in _message(number, message)]


def _message(number: int, message: object) -> list[Json]:
    loc: list[str | int] = ["messages", number]
    if not isinstance(message, dict):
        return [problem("model_attributes_type", loc, _NOT_AN_OBJECT, message)]
    if "role" not in message:
        return [problem("missing", [*loc, "role"], "Field required", message)]
    return _role(loc, message["role"]) + _content(loc, message.get("content"))


def _role(loc: list[str | int], role: object) -> list[Json]:
    if role in ROLES:
        return []
    expected = ", ".join(f"'{r}'" for r in ROLES[:-1]) + f" or '{ROLES[-1]}'"
    said = problem("literal_error", [*loc, "role"], f"Input should be {expected}", role)
    return [said | {"ctx": {"expected": expected}}]


def _content(loc: list[str | int], content: object) -> list[Json]:
    if content is None or isinstance(content, str | list | dict):
        return []
    here = [*loc, "content"]
    either = "list[union[ChatCompletionMessageText,ChatCompletionMessageImageUrl]]"
    return [
        problem("string_type", [*here, "str"], "Input should be a valid string", content),
        *(
            problem("model_attributes_type", [*here, part], _NOT_AN_OBJECT, content)
            for part in ("ChatCompletionMessageText", "ChatCompletionMessageImageUrl")
        ),
        problem("list_type", [*here, either], "Input should be a valid list", content),
    ]
