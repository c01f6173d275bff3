"""Talking to a rehearsal as a caller of exo does."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx

from fleetweb.rehearsal import SMALL, Node, Rehearsal

Json = dict[str, Any]


def prompt(text: str = "hello", model: str = SMALL, **rest: Any) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}], **rest}


class Caller:
    """A client that knows the fleet's doors by the names of their machines."""

    def __init__(self, fleet: Rehearsal, client: httpx.AsyncClient) -> None:
        self.fleet, self.client = fleet, client

    def door(self, name: str = "king") -> Node:
        return self.fleet.node(name)

    async def get(self, path: str, door: str = "king") -> httpx.Response:
        return await self.client.get(self.door(door).url + path)

    async def post(self, path: str, body: Any = None, door: str = "king") -> httpx.Response:
        return await self.client.post(self.door(door).url + path, json=body)

    async def state(self, door: str = "king") -> Json:
        return (await self.get("/state", door)).json()

    async def chat(self, body: Json, door: str = "king") -> httpx.Response:
        return await self.post("/v1/chat/completions", body, door)

    async def events(self, body: Json, door: str = "king") -> AsyncIterator[str]:
        """The events of a stream, each without the empty line that ends it."""
        url = self.door(door).url + "/v1/chat/completions"
        async with self.client.stream("POST", url, json=body | {"stream": True}) as answer:
            async for event in split(answer):
                yield event

    async def listen(self, body: Json, heard: list[str], door: str = "king") -> None:
        """Hear a stream to its end; what was heard can be watched meanwhile."""
        async for event in self.events(body, door):
            heard.append(event)  # noqa: PERF401


async def split(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line:
            yield line


def chunks(events: list[str]) -> list[Json]:
    """The data events of a stream, decoded."""
    data = (event.removeprefix("data: ") for event in events if event.startswith("data: "))
    return [json.loads(text) for text in data if text != "[DONE]"]


def said(events: list[str], field: str = "content") -> str:
    deltas = (chunk["choices"][0]["delta"] for chunk in chunks(events) if "choices" in chunk)
    return "".join(delta.get(field, "") for delta in deltas)


def instance_of(state: Json, model: str) -> Json | None:
    for tagged in state["instances"].values():
        (inner,) = tagged.values()
        if inner["shardAssignments"]["modelId"] == model:
            return dict(inner)
    return None


def statuses(state: Json, model: str) -> list[str | None]:
    """What each runner of the model's instance is at, None before it has an entry."""
    instance = instance_of(state, model)
    if instance is None:
        return []
    runners = instance["shardAssignments"]["runnerToShard"]
    return [next(iter(state["runners"].get(runner, {})), None) for runner in runners]
