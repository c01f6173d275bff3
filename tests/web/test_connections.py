"""Connections to PostgreSQL and Redis, sixteen of each to a process: who waits keeps none."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

import pytest
import redis
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import connection
from django.test import AsyncClient

from fleetweb.asgi import application
from fleetweb.fleet.redis_cache import AT_MOST
from fleetweb.gateway.models import ApiKey
from fleetweb.gateway.running import gateway
from fleetweb.rehearsal import SMALL
from fleetweb.web.access.owner import OWNER
from fleetweb.web.models import PlaygroundAnswer
from tests.rehearsal.waiting import until
from tests.scripted_exo import HOLD, event
from tests.sockets import Socket

from .grown import grown
from .playground_house import ASK, ask, playground, saying, visitor

pytestmark = [*grown, pytest.mark.django_db(transaction=True)]

MANY, SOME = 200, 20  # both are more than there are connections
KEPT = 3  # by the thread that writes the history, and by two threads of these tests
IN_REDIS = AT_MOST + 4  # those of the cache, of the channel layer, and of who counts them
BEARER = f"Bearer {settings.FLEETWEB_TOKEN}"
FORM = "application/x-www-form-urlencoded"
DEADLINE_S = 60


@pytest.fixture
async def exo():
    async with playground() as exo:
        exo.answers["Go on."] = (event({"content": "So far"}), HOLD)
        yield exo


def held() -> int:
    """How many connections to the database are not free."""
    stats = connection.pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]


def in_redis() -> int:
    """How many are connected to this run's corner of it."""
    with redis.Redis.from_url(settings.REDIS_URL) as corner:
        number = str(corner.get_connection_kwargs()["db"])
        return sum(client["db"] == number for client in corner.client_list())


async def nobody_keeps_one() -> None:
    """Come back when only those are held that always are; and pages are served."""
    await until(lambda: held() <= KEPT)
    page = await AsyncClient().get("/", headers={"Authorization": BEARER})
    assert page.status_code == 200
    assert in_redis() <= IN_REDIS


@asynccontextmanager
async def asking(
    path: str, authorization: str, kind: str, body: str
) -> AsyncIterator[ApplicationCommunicator]:
    """Somebody who has sent a request to the whole application, until they go away."""
    headers = {"host": "localhost", "authorization": authorization, "content-type": kind}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    caller = ApplicationCommunicator(application, scope)
    await caller.send_input({"type": "http.request", "body": body.encode()})
    try:
        yield caller
    finally:
        await caller.send_input({"type": "http.disconnect"})
        await caller.wait(DEADLINE_S)


async def test_two_hundred_streams_keep_none(exo):
    issue = database_sync_to_async(ApiKey.objects.issue)
    _, secret = await issue("porch", requests_per_minute=10 * MANY)
    message = {"role": "user", "content": "Go on."}
    body = json.dumps({"model": SMALL, "messages": [message], "stream": True})
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(
                asking("/v1/chat/completions", f"Bearer {secret}", "application/json", body)
            )
            for _ in range(MANY)
        ]
        for stream in streams:
            assert (await stream.receive_output(DEADLINE_S))["status"] == 200
        assert len(gateway().desk.passages) == MANY
        await nobody_keeps_one()


async def test_browsers_without_scripts_that_wait_for_an_answer_keep_none(exo):
    form = urlencode({"prompt": "Go on.", "model_0": SMALL})
    async with AsyncExitStack() as stack:
        for _ in range(SOME):
            await stack.enter_async_context(asking(ASK, BEARER, FORM, form))
        await until(all_wait, DEADLINE_S)
        await nobody_keeps_one()


async def all_wait() -> bool:
    return await PlaygroundAnswer.objects.filter(text="So far").acount() == SOME


async def test_pages_that_are_open_keep_none(exo):
    run = await ask(await visitor(OWNER, is_superuser=True), "Go on.")
    await saying(run, "So far")
    sent = [(b"host", b"localhost"), (b"authorization", BEARER.encode())]
    async with AsyncExitStack() as stack:
        for _ in range(SOME):
            for path in ("/ws/presence/", f"/ws/playground/{run}/"):
                socket = Socket(application, path, sent)
                stack.push_async_callback(socket.disconnect)
                assert (await socket.connect(DEADLINE_S))[0], path
        await nobody_keeps_one()
