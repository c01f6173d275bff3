"""Grown past one process: pages here, the poller there, PostgreSQL and Redis between them."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
import redis
from websockets.sync.client import connect

from tests.processes import ROOT, TOKEN, Process, eventually

DATABASE_URL = os.environ.get("DATABASE_URL", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
BEARER = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(
        not (DATABASE_URL.startswith("postgres") and REDIS_URL),
        reason="needs DATABASE_URL of a PostgreSQL server and REDIS_URL",
    ),
]


@pytest.fixture
def shared() -> Iterator[dict[str, str]]:
    """The settings of processes that share a new database and an emptied corner of Redis."""
    name = f"fleetweb_{os.getpid()}"
    with psycopg.connect(DATABASE_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        url = f"{DATABASE_URL.rpartition('/')[0]}/{name}"
        _forget_presence()
        yield {"DATABASE_URL": url, "REDIS_URL": REDIS_URL}
        _forget_presence()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _forget_presence() -> None:
    with redis.Redis.from_url(REDIS_URL) as layer:
        layer.delete(":1:fleet-presence")


@pytest.fixture
def exo(tmp_path: Path) -> Iterator[str]:
    """A rehearsal in a process of its own; the address of its king."""
    with Process.manage("rehearse", "--speed", "5", data=tmp_path / "exo") as process:
        eventually(lambda: process.out.count("\n") >= 4)
        yield process.out.splitlines()[0].partition(": ")[2]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


SERVERS = {
    "daphne": ("daphne", "-b", "127.0.0.1", "-p"),
    "uvicorn": ("uvicorn", "--lifespan", "off", "--log-level", "warning", "--port"),
}


def _pages(server: str, data: Path, env: dict[str, str]) -> tuple[Process, str]:
    port = _free_port()
    command = (sys.executable, "-m", *SERVERS[server], str(port), "fleetweb.asgi:application")
    return Process(command, data, PYTHONPATH=str(ROOT), **env), f"http://127.0.0.1:{port}"


def _answers(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
    return False


@pytest.mark.parametrize("server", SERVERS)
def test_what_one_process_sees_another_shows(tmp_path, shared, exo, server):
    env = {**shared, "FLEETWEB_EXO_URLS": exo}
    with Process.manage("migrate", "--verbosity", "0", data=tmp_path / "migrate", **env) as first:
        assert first.ended().code == 0
    pages, address = _pages(server, tmp_path / "pages", env)
    with pages:
        eventually(lambda: _answers(address))
        url = address.replace("http", "ws", 1) + "/ws/presence/"
        with (
            connect(url, additional_headers=BEARER, proxy=None) as opened,
            Process.manage("poller", data=tmp_path / "one", **env) as one,
            Process.manage("poller", data=tmp_path / "two", **env) as two,
        ):
            _hears_pushes(opened)
            _one_takes_over_when_the_other_is_killed(one, two)
            _hears_pushes(opened)
            survivor = one if one.is_running else two
            ended = survivor.stop(signal.SIGTERM)
            assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err


def _hears_pushes(opened) -> None:
    """Three pushes of fragments, which only a poller's publishing brings about."""
    pushes = 0
    while pushes < 3:
        pushes += opened.recv(30).startswith("<hx-partial")


def _one_takes_over_when_the_other_is_killed(one: Process, two: Process) -> None:
    def stands_by(process: Process) -> bool:
        return "this one stands by" in process.err

    standby = eventually(lambda: next((p for p in (one, two) if stands_by(p)), None))
    holder = two if standby is one else one
    holder.stop(signal.SIGKILL)
    eventually(lambda: "This poller takes over." in standby.err)
