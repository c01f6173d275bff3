"""A conversation with everything in it, and what a provider makes of a request on the wire."""

from typing import Any

from fleetweb.core.chat import ChatRequest
from fleetweb.upstream.providers import ProviderConfig, make_provider

from .fake import Fake, Step, serving

PIXEL = "iVBORw0KGgo="
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
ELSEWHERE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Says the weather", "parameters": SCHEMA},
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
}

CONVERSATION: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Where is this?"}, PICTURE]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"sky": "blue"}'},
    {"role": "user", "content": "And now?"},
)


def hi(**params: Any) -> ChatRequest:
    return ChatRequest("m", ({"role": "user", "content": "hi"},), params=params)


def saying(*content: Any, role: str = "user") -> ChatRequest:
    return ChatRequest("m", ({"role": role, "content": list(content)},))


async def sent(
    kind: str, answer: tuple[Step, ...], request: ChatRequest, model: str = "some-model"
) -> dict[str, Any]:
    """The body that a provider of this kind sends for `request`."""
    async with serving(Fake(answer)) as fake:
        provider = make_provider(kind, ProviderConfig(fake.url, api_key="key"))
        async for _ in provider.stream(request, model):
            pass
    body: dict[str, Any] = fake.request.body
    return body
