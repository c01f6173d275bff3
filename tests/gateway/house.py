"""A whole house in this process: rehearsed fleets, the one who watches them, and the gateway."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from channels.routing import get_default_application

from fleetweb.core.chat import ChatRequest, Chunk
from fleetweb.errors import FleetError
from fleetweb.fleet import live
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.worker import host
from fleetweb.gateway.caller import Caller
from fleetweb.gateway.passage import Passage
from fleetweb.gateway.service import Gateway, GatewayConfig
from fleetweb.gateway.view import FleetView
from fleetweb.rehearsal import SMALL, Rehearsal
from fleetweb.upstream import http
from fleetweb.upstream.providers import Provider
from tests.rehearsal.waiting import until

ME = Caller("me")


@dataclass
class Told:
    """What one caller was told in the end."""

    passage: Passage
    pieces: list[Chunk] = field(default_factory=list)
    error: FleetError | None = None

    @property
    def text(self) -> str:
        return "".join(piece.content + piece.reasoning for piece in self.pieces)

    @property
    def tokens(self) -> int:
        return sum(piece.has_output for piece in self.pieces)


@asynccontextmanager
async def house(
    fleets: Sequence[Rehearsal] = (),
    providers: dict[str, Provider] | None = None,
    **config: Any,
) -> AsyncIterator[Gateway]:
    """The gateway, once presence knows every fleet."""
    order = ("exo", *(providers or {}))
    gateway = Gateway(GatewayConfig(order=order, providers=providers or {}, **config))
    poller = Poller([fleet.urls[0] for fleet in fleets], ())
    watching = asyncio.create_task(host(poller, get_default_application()))
    try:
        await until(lambda: _all_doors_known(fleets))
        yield gateway
    finally:
        await gateway.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await http.aclose()


async def _all_doors_known(fleets: Sequence[Rehearsal]) -> bool:
    presence = await live.current()
    known = {d.url for c in presence.clusters for d in c.doors if d.node} if presence else set()
    return known >= {url for fleet in fleets for url in fleet.urls}


async def loaded(model: str) -> None:
    """Come back when presence knows that `model` is ready."""

    async def look() -> bool:
        return model in FleetView(await live.current()).loaded

    await until(look)


def prompt(text: str = "Name a tree.", model: str = SMALL, **params: Any) -> ChatRequest:
    message = {"role": "user", "content": text}
    return ChatRequest(model, (message,), stream=True, params={"max_tokens": 8, **params})


async def ask(gateway: Gateway, request: ChatRequest, caller: Caller = ME) -> Told:
    """Ask, and listen to the end."""
    told = Told(gateway.begin(request, caller))
    try:
        async with aclosing(gateway.answer(told.passage)) as pieces:
            async for piece in pieces:
                told.pieces.append(piece)
    except FleetError as error:
        told.error = error
    return told
