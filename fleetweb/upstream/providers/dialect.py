"""What it takes to leave OpenAI's dialect: its parts read, its odd ends translated or refused."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ...core.chat import IMMATERIAL, ChatRequest, JsonObject, content_parts, message_texts
from ...core.openai import InvalidRequest, decode_json
from .faults import unable

# What says nothing beyond the default, so that it may be left out anywhere.
_NEUTRAL: Mapping[str, Any] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "modalities": ["text"],
    "n": 1,
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "repetition_penalty": 1,
    "response_format": {"type": "text"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
}


def refuse_unknown(request: ChatRequest, provider: str, understood: Iterable[str]) -> None:
    """Raise ProviderRefused at the first field that `provider` has no word for."""
    for name, value in request.params.items():
        if value is None or name in IMMATERIAL or name in understood:
            continue
        if name not in _NEUTRAL or _NEUTRAL[name] != value:
            raise unable(provider, name)


def without_none(**fields: Any) -> dict[str, Any]:
    """Only the fields that say something: None and empty lists are left out."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture inside the request, base64, or an address where it is: one of the two."""

    media_type: str = ""
    data: str = ""
    url: str | None = None


def image_of(part: JsonObject, provider: str) -> Image:
    """The picture of an `image_url` part. Raises ProviderRefused if there is none in it."""
    holder = part.get("image_url")
    url = holder.get("url") if isinstance(holder, Mapping) else holder
    if not isinstance(url, str) or not url:
        raise unable(provider, "image_url", "holds no picture")
    if not url.startswith("data:"):
        return Image(url=url)
    head, _, data = url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.partition(";")
    if encoding != "base64" or not data:
        raise unable(provider, "image_url", "must be an address or base64 data")
    return Image(media_type=media_type, data=data)


def parts_of(message: JsonObject, provider: str) -> list[str | Image]:
    """Texts and pictures in their order. Raises ProviderRefused for sound, files and the like."""
    found: list[str | Image] = []
    for part in content_parts(message):
        match part.get("type", "text"):
            case "text" | "refusal":
                found.append(str(part.get("text") or part.get("refusal") or ""))
            case "image_url":
                found.append(image_of(part, provider))
            case _:
                raise unable(provider, "messages", "holds something that is no text or picture")
    return [part for part in found if part != ""]


def text_of(message: JsonObject) -> str:
    return "\n".join(message_texts(message))


def is_instruction(message: JsonObject) -> bool:
    """Whether it speaks to the model from outside the conversation."""
    return message.get("role") in ("system", "developer")


def instructions_of(request: ChatRequest) -> list[str]:
    """What the model is told from outside the conversation, empty texts left out."""
    texts = (text_of(message) for message in request.messages if is_instruction(message))
    return [text for text in texts if text]


def turns_of(
    request: ChatRequest, assistant: str, field: str, parts_in: Callable[[JsonObject], list[Any]]
) -> list[dict[str, Any]]:
    """The conversation as turns `{"role": …, field: […]}`, the model's role called `assistant`.

    Neighbours of one role become one turn: results of tools belong to the user, and several of
    them to one turn.
    """
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        if is_instruction(message):
            continue
        role = assistant if message["role"] == "assistant" else "user"
        parts = parts_in(message)
        if turns and turns[-1]["role"] == role:
            turns[-1][field].extend(parts)
        elif parts:
            turns.append({"role": role, field: parts})
    return turns


@dataclass(frozen=True, slots=True)
class PastCall:
    """A tool call in the history; `signature` is what Gemini wants back with it."""

    id: str
    name: str
    arguments: dict[str, Any]
    signature: str | None = None


def past_calls(message: JsonObject, provider: str) -> list[PastCall]:
    """The tool calls of an assistant's message. Raises ProviderRefused where one is no JSON."""
    return [_past_call(call, provider) for call in message.get("tool_calls") or ()]


def _past_call(call: JsonObject, provider: str) -> PastCall:
    function = _object(call.get("function"))
    written = function.get("arguments")
    try:
        arguments = decode_json((written or "{}").encode()) if isinstance(written, str) else written
    except InvalidRequest:
        arguments = None
    if not isinstance(arguments, dict):
        raise unable(provider, "tool_calls", "holds arguments that are no JSON object")
    google = _object(_object(call.get("extra_content")).get("google"))
    return PastCall(
        id=str(call.get("id") or ""),
        name=str(function.get("name") or ""),
        arguments=arguments,
        signature=google.get("thought_signature"),
    )


def _object(value: Any) -> JsonObject:
    """`value` if it is an object; what a client put in its place says nothing."""
    return value if isinstance(value, Mapping) else {}


def called_names(request: ChatRequest) -> dict[str, str]:
    """The tool's name by call id: results in OpenAI's dialect only say the id."""
    calls = (call for message in request.messages for call in message.get("tool_calls") or ())
    return {str(c.get("id")): str(_object(c.get("function")).get("name") or "") for c in calls}


def functions_of(request: ChatRequest, provider: str) -> list[JsonObject]:
    """The tools' function definitions. Raises ProviderRefused for a tool of another kind."""
    functions = [tool.get("function") for tool in request.tools]
    if not all(isinstance(function, Mapping) for function in functions):
        raise unable(provider, "tools", "may only hold functions")
    return [function for function in functions if function is not None]


def chosen_tool(request: ChatRequest, provider: str) -> str | None:
    """`auto`, `none`, `required` or a function's name after a colon; None where nothing is said."""
    choice = request.params.get("tool_choice")
    if choice in (None, "auto", "none", "required"):
        return choice
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        raise unable(provider, "tool_choice", "must be auto, none, required or a function")
    return f":{name}"


def wanted_schema(request: ChatRequest) -> tuple[str, JsonObject | None]:
    """The form the answer should have: its type, and the JSON schema if there is one."""
    wanted = _object(request.params.get("response_format"))
    schema = _object(wanted.get("json_schema")).get("schema")
    return str(wanted.get("type", "text")), schema


def new_call_id() -> str:
    """An id for a tool call of a provider that gives none."""
    return f"call_{uuid4().hex}"


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
