"""`kill -9` in the middle of fifty streams: what was answered is kept, and the rest says so."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing

import httpx2 as httpx

from fleetweb.rehearsal import SMALL, Rehearsal
from tests.processes import TOKEN, Process, eventually
from tests.scripted_exo import InBackground
from tests.web.v1_door import is_loaded

STREAMS = 50
SHORT, LONG = 3, 4000
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def stream(client, number):
    """The request's id, and whether its answer came to its end before the server died."""
    ask = {
        "model": SMALL,
        "stream": True,
        "max_tokens": SHORT if number % 2 else LONG,
        "messages": [{"role": "user", "content": f"number {number}"}],
    }
    request_id, is_whole = None, False
    try:
        async with client.stream("POST", "/v1/chat/completions", json=ask) as answer:
            request_id = answer.headers["x-fleetweb-request"]
            async for line in answer.aiter_lines():
                is_whole = is_whole or line == "data: [DONE]"
    except httpx.TransportError:
        pass
    return request_id, is_whole


async def fifty_streams_and_a_death(server):
    limits = httpx.Limits(max_connections=STREAMS)
    options = {"headers": BEARER, "timeout": 60, "limits": limits, "trust_env": False}
    async with httpx.AsyncClient(base_url=server.address(), **options) as client:
        streams = [asyncio.create_task(stream(client, number)) for number in range(STREAMS)]
        short = [task for number, task in enumerate(streams) if number % 2]
        await asyncio.wait(short, timeout=60)
        os.kill(server.pid, signal.SIGKILL)
        return await asyncio.gather(*streams)


def statuses(data):
    with closing(sqlite3.connect(data / "fleetweb.sqlite3")) as database:
        return dict(database.execute("SELECT id, status FROM gateway_requestmetric"))


def test_after_a_sudden_death_the_history_is_whole(tmp_path):
    data = tmp_path / "data"
    with InBackground(Rehearsal(speed=2.0)) as fleet:
        asyncio.run(fleet.place(SMALL))
        with Process.manage("serve", "--port", "0", "--exo", fleet.urls[0], data=data) as server:
            eventually(lambda: is_loaded(server.address(), SMALL))
            told = asyncio.run(fifty_streams_and_a_death(server))
        with Process.manage("serve", "--port", "0", "--exo", fleet.urls[0], data=data) as server:
            server.address()
            eventually(lambda: "running" not in statuses(data).values())
    kept = statuses(data)
    whole = {request_id for request_id, is_whole in told if is_whole}
    assert len(whole) >= STREAMS // 2
    assert all(kept[request_id] == "ok" for request_id in whole)
    long = [told[number] for number in range(STREAMS) if number % 2 == 0]
    cut = {request_id for request_id, is_whole in long if request_id and not is_whole}
    assert cut
    assert {kept[request_id] for request_id in cut} == {"interrupted"}
