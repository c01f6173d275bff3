"""Gemini as a provider: what it is asked, at `models/{model}:streamGenerateContent?alt=sse`.

Source: ai.google.dev/api/generate-content, /gemini-api/docs/thinking, /docs/thought-signatures.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from ...core.chat import ChatRequest, JsonObject
from ...core.openai import InvalidRequest, decode_json
from .base import ProviderConfig
from .dialect import (
    Image,
    called_names,
    chosen_tool,
    functions_of,
    instructions_of,
    parts_of,
    past_calls,
    refuse_unknown,
    text_of,
    turns_of,
    wanted_schema,
    without_none,
)
from .faults import Fault, identifier, read_text, unable
from .gemini_stream import TITLE, GeminiDecoder
from .wire import Call, WireProvider

API_VERSION = "v1beta"

_UNDERSTOOD = frozenset(
    {
        "frequency_penalty",
        "max_completion_tokens",
        "max_tokens",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)

# Since Gemini 3 a history of calls without their signatures is rejected; this stands for calls it
# did not make itself, or whose signature the client did not keep.
FOREIGN_SIGNATURE = "skip_thought_signature_validator"

# 2.x models take a budget of thinking tokens, later ones a level.
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
}


class _Model(msgspec.Struct, rename="camel"):
    name: str
    supported_generation_methods: list[str] = []


class _Models(msgspec.Struct):
    models: list[_Model] = []


class GeminiProvider(WireProvider):
    """Google's Gemini API, with the owner's key."""

    kind = "gemini"
    title = TITLE
    leaves_house = True

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        if not urlsplit(self._url).path:
            self._url += f"/{API_VERSION}"

    async def models(self) -> tuple[str, ...]:
        answer = await self._asked("/models?pageSize=1000", _Models, self._headers())
        return tuple(
            model.name.removeprefix("models/")
            for model in answer.models
            if "generateContent" in model.supported_generation_methods
        )

    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self._api_key or ""}

    def _call(self, request: ChatRequest, model: str) -> Call:
        refuse_unknown(request, self.title, _UNDERSTOOD)
        parts_in = partial(self._parts, called_names(request), _is_early(model))
        told = [{"text": text} for text in instructions_of(request)]
        body = without_none(
            contents=turns_of(request, "model", "parts", parts_in),
            systemInstruction={"parts": told} if told else None,
            tools=self._tools(request),
            toolConfig=self._tool_config(request),
            generationConfig=self._generation(request, model) or None,
        )
        path = f"/models/{quote(model.removeprefix('models/'), safe='')}"
        return Call(f"{self._url}{path}:streamGenerateContent?alt=sse", body, self._headers())

    def _parts(
        self, names: Mapping[str, str], early: bool, message: JsonObject
    ) -> list[dict[str, Any]]:
        if message["role"] in ("tool", "function"):
            name = names.get(str(message.get("tool_call_id"))) or message.get("name") or ""
            result = {"name": name, "response": _result(text_of(message))}
            return [{"functionResponse": result}]
        parts = [self._part(part) for part in parts_of(message, self.title)]
        for position, call in enumerate(past_calls(message, self.title)):
            part: dict[str, Any] = {"functionCall": {"name": call.name, "args": call.arguments}}
            stand_in = FOREIGN_SIGNATURE if position == 0 and not early else None
            signature = call.signature or stand_in
            parts.append(part | without_none(thoughtSignature=signature))
        return parts

    def _part(self, part: str | Image) -> dict[str, Any]:
        if isinstance(part, str):
            return {"text": part}
        if part.url is not None:
            raise unable(self.title, "image_url", "must hold the picture itself, as base64 data")
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}

    def _tools(self, request: ChatRequest) -> list[dict[str, Any]]:
        functions = [
            without_none(
                name=function.get("name"),
                description=function.get("description"),
                parametersJsonSchema=function.get("parameters"),
            )
            for function in functions_of(request, self.title)
        ]
        return [{"functionDeclarations": functions}] if functions else []

    def _tool_config(self, request: ChatRequest) -> dict[str, Any] | None:
        choice = chosen_tool(request, self.title)
        if choice is None or not request.tools:
            return None
        if choice.startswith(":"):
            config = {"mode": "ANY", "allowedFunctionNames": [choice[1:]]}
        else:
            config = {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice]}
        return {"functionCallingConfig": config}

    def _generation(self, request: ChatRequest, model: str) -> dict[str, Any]:
        params = request.params
        kind, schema = wanted_schema(request)
        return without_none(
            temperature=params.get("temperature"),
            topP=params.get("top_p"),
            topK=params.get("top_k"),
            maxOutputTokens=request.max_tokens or None,
            stopSequences=list(request.stop),
            seed=params.get("seed"),
            presencePenalty=params.get("presence_penalty"),
            frequencyPenalty=params.get("frequency_penalty"),
            responseMimeType=None if kind == "text" else "application/json",
            responseJsonSchema=schema,
            thinkingConfig=self._thinking(params.get("reasoning_effort"), model),
        )

    def _thinking(self, effort: str | None, model: str) -> dict[str, Any] | None:
        if effort is None:
            return None
        if effort not in _BUDGETS:
            raise unable(self.title, "reasoning_effort", "is none of its levels")
        shown = {"includeThoughts": effort != "none"}
        if _is_early(model):
            return shown | {"thinkingBudget": _BUDGETS[effort]}
        return shown | {"thinkingLevel": _LEVELS[effort]}

    def _decoder(self) -> GeminiDecoder:
        return GeminiDecoder()

    def _fault(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Fault:
        """Gemini says 400 to a bad key, and when to come back in its details."""
        error = body.get("error")
        if not isinstance(error, Mapping):
            return Fault()
        listed = error.get("details")
        details = [d for d in listed if isinstance(d, Mapping)] if isinstance(listed, list) else []
        told = read_text(error.get("message"), error.get("status"), sent)
        delays = (_seconds(d.get("retryDelay")) for d in details)
        return Fault(
            field=told.field,
            kind=told.kind,
            too_long=told.too_long,
            bad_key=any(identifier(d.get("reason")) == "API_KEY_INVALID" for d in details),
            retry_after_s=next((delay for delay in delays if delay is not None), None),
        )


def _is_early(model: str) -> bool:
    """Whether it is of the 1.x or 2.x models: no levels of thinking, no signatures asked for."""
    return model.removeprefix("models/").startswith(("gemini-1", "gemini-2"))


def _result(text: str) -> dict[str, Any]:
    """A tool's result as the object Gemini wants; what is none is wrapped."""
    try:
        value = decode_json(text.encode())
    except InvalidRequest:
        value = text
    return value if isinstance(value, dict) else {"result": value}


def _seconds(duration: object) -> float | None:
    """`"23.5s"` as seconds. Source: protobuf's JSON form of Duration."""
    if not isinstance(duration, str) or not duration.endswith("s"):
        return None
    digits = duration.removesuffix("s")
    return float(digits) if digits.replace(".", "", 1).isdecimal() else None
