"""The playground in this process: an exo whose answers are scripted, its watcher, the pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.routing import get_default_application
from django.contrib.auth.models import User
from django.test import AsyncClient

from fleetweb.core.streams import Outcome
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.worker import host
from fleetweb.gateway.running import close_gateway
from fleetweb.rehearsal import SMALL
from fleetweb.upstream import http
from fleetweb.web.models import PlaygroundAnswer
from fleetweb.web.playground.consumer import RunConsumer
from fleetweb.web.playground.runs import close_runs
from tests.gateway.house import loaded
from tests.rehearsal.waiting import until
from tests.scripted_exo import ScriptedExo
from tests.sockets import Socket

ASK = "/playground/"
WITH_SCRIPTS = {"HX-Request": "true"}
DEADLINE_S = 60.0  # listening to a megabyte takes the gateway seconds


@asynccontextmanager
async def playground() -> AsyncIterator[ScriptedExo]:
    """Once it is known what exo has loaded."""
    async with ScriptedExo() as exo:
        watching = asyncio.create_task(host(Poller([exo.url], ()), get_default_application()))
        try:
            await loaded(SMALL)
            yield exo
        finally:
            await close_runs()
            await close_gateway()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await http.aclose()


async def visitor(name: str = "ada", **rights: bool) -> AsyncClient:
    """A browser of somebody who is signed in."""
    user, _ = await User.objects.aget_or_create(username=name, defaults=rights)
    client = AsyncClient()
    await client.aforce_login(user)
    return client


async def ask(client: AsyncClient, prompt: str, at: str = ASK, **boxes: Any) -> str:
    """Ask as a page with scripts does; the run that was begun, or went on."""
    form = {"prompt": prompt, "model_0": SMALL, **boxes}
    response = await client.post(at, form, headers=WITH_SCRIPTS)
    assert response.status_code in (200, 204), response.content.decode()
    return response.headers.get("HX-Redirect", at).strip("/").rpartition("/")[2]


async def answers(run_id: str) -> list[PlaygroundAnswer]:
    found = PlaygroundAnswer.objects.filter(turn__run=run_id).select_related("turn")
    return [answer async for answer in found.order_by("turn__number", "column")]


async def answered(run_id: str, outcome: Outcome = Outcome.OK) -> list[PlaygroundAnswer]:
    """The answers of a run, once the last of them has ended so."""

    async def look() -> list[PlaygroundAnswer]:
        found = await answers(run_id)
        return found if all(a.is_over for a in found) else []

    found: list[PlaygroundAnswer] = await until(look)
    assert found[-1].status == outcome, found[-1].standing
    return found


async def saying(run_id: str, words: str) -> None:
    """Come back when an answer that goes on has come as far as `words` in storage."""

    async def look() -> bool:
        return any(words in answer.text + answer.thinking for answer in await answers(run_id))

    await until(look)


class Follower:
    """The socket of a run's page."""

    def __init__(self, run_id: str, user: User, have: str = "") -> None:
        self.socket = Socket(RunConsumer.as_asgi(), f"/ws/playground/{run_id}/?have={have}")
        self.socket.scope["user"] = user
        self.socket.scope["url_route"] = {"kwargs": {"run_id": run_id}}
        self.heard: list[str] = []

    async def __aenter__(self) -> "Follower":
        self.connected, self.code = await self.socket.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect()

    async def hears(self, words: str) -> str:
        """The first message with `words` in it; everything up to it is kept in `heard`."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.socket.receive_from(DEADLINE_S)
                if message.startswith("{"):
                    continue
                self.heard.append(message)
                if words in message:
                    return message
