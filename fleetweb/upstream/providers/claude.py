"""Claude as a provider: what it is asked, at `/v1/messages`.

Source: platform.claude.com/docs/en/api/messages and the types of the anthropic SDK.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...core.chat import ChatRequest, JsonObject
from .base import ProviderConfig
from .claude_stream import TITLE, ClaudeDecoder
from .dialect import (
    Image,
    chosen_tool,
    functions_of,
    instructions_of,
    parts_of,
    past_calls,
    refuse_unknown,
    turns_of,
    wanted_schema,
    without_none,
)
from .faults import Fault, read_text, unable
from .wire import Call, WireProvider

API_VERSION = "2023-06-01"  # the last one whose older models take a temperature
DEFAULT_MAX_TOKENS = 8192  # Claude wants a bound; all of its current models go this far

_UNDERSTOOD = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class ClaudeProvider(WireProvider):
    """Anthropic's API, with the owner's key."""

    kind = "claude"
    title = TITLE
    leaves_house = True

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._url = self._url.removesuffix("/v1")

    async def models(self) -> tuple[str, ...]:
        answer = await self._asked("/v1/models?limit=1000", _Models, self._headers())
        return tuple(model.id for model in answer.data)

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self._api_key or "", "anthropic-version": API_VERSION}

    def _call(self, request: ChatRequest, model: str) -> Call:
        refuse_unknown(request, self.title, _UNDERSTOOD)
        params = request.params
        body = without_none(
            model=model,
            max_tokens=request.max_tokens or DEFAULT_MAX_TOKENS,
            system="\n\n".join(instructions_of(request)) or None,
            messages=turns_of(request, "assistant", "content", self._blocks),
            stream=True,
            temperature=self._temperature(request),
            top_p=params.get("top_p"),
            top_k=params.get("top_k"),
            stop_sequences=list(request.stop),
            tools=self._tools(request),
            tool_choice=self._tool_choice(request),
            thinking=_thinking(params.get("reasoning_effort")),
            output_config=self._output_config(request) or None,
        )
        return Call(f"{self._url}/v1/messages", body, self._headers())

    def _temperature(self, request: ChatRequest) -> float | None:
        temperature = request.temperature
        if temperature is not None and not 0 <= temperature <= 1:
            raise unable(self.title, "temperature", "must be from 0 to 1")
        return temperature

    def _blocks(self, message: JsonObject) -> list[dict[str, Any]]:
        """The content of one message. Empty texts are left out: Claude refuses them."""
        content = [self._block(part) for part in parts_of(message, self.title)]
        if message["role"] in ("tool", "function"):
            call_id = str(message.get("tool_call_id") or message.get("name") or "")
            return [{"type": "tool_result", "tool_use_id": call_id, "content": content}]
        calls = past_calls(message, self.title)
        return content + [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
            for call in calls
        ]

    def _block(self, part: str | Image) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        if part.url is not None:
            return {"type": "image", "source": {"type": "url", "url": part.url}}
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
        return {"type": "image", "source": source}

    def _tools(self, request: ChatRequest) -> list[dict[str, Any]]:
        return [
            without_none(
                name=function.get("name"),
                description=function.get("description"),
                input_schema=function.get("parameters") or {"type": "object", "properties": {}},
            )
            for function in functions_of(request, self.title)
        ]

    def _tool_choice(self, request: ChatRequest) -> dict[str, Any] | None:
        choice = chosen_tool(request, self.title)
        one_at_a_time = request.params.get("parallel_tool_calls") is False
        if not request.tools or (choice is None and not one_at_a_time):
            return None
        body: dict[str, Any] = {"type": "auto" if choice is None else choice}
        if choice is not None and choice.startswith(":"):
            body = {"type": "tool", "name": choice[1:]}
        elif choice == "required":
            body = {"type": "any"}
        if one_at_a_time and choice != "none":
            body["disable_parallel_tool_use"] = True
        return body

    def _output_config(self, request: ChatRequest) -> dict[str, Any]:
        kind, schema = wanted_schema(request)
        if kind == "json_object":
            raise unable(self.title, "response_format", "must be a json_schema here")
        wanted = {"type": "json_schema", "schema": schema} if schema is not None else None
        return without_none(effort=self._effort(request), format=wanted)

    def _effort(self, request: ChatRequest) -> str | None:
        effort = request.params.get("reasoning_effort")
        if effort in (None, "none"):
            return None
        if effort not in _EFFORTS:
            raise unable(self.title, "reasoning_effort", "is none of its levels")
        return _EFFORTS[effort]

    def _decoder(self) -> ClaudeDecoder:
        return ClaudeDecoder()

    def _fault(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Fault:
        error = body.get("error")
        if not isinstance(error, Mapping):
            return Fault()
        return read_text(error.get("message"), error.get("type"), sent)


def _thinking(effort: str | None) -> dict[str, str] | None:
    """Thinking is asked for in words that are shown, when the caller asks for any."""
    if effort is None:
        return None
    if effort == "none":
        return {"type": "disabled"}
    return {"type": "adaptive", "display": "summarized"}
