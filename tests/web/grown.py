"""Grown past one process: web processes that share a database of PostgreSQL, and Redis."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
import redis

from tests.processes import ROOT, TOKEN, Process, eventually

DATABASE_URL = os.environ.get("DATABASE_URL", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
BEARER = {"Authorization": f"Bearer {TOKEN}"}

grown = [
    pytest.mark.scale,
    pytest.mark.skipif(
        not (DATABASE_URL.startswith("postgres") and REDIS_URL),
        reason="needs DATABASE_URL of a PostgreSQL server and REDIS_URL",
    ),
]

TRIES = 3  # a port that is free may be somebody's a moment later
SERVERS = {
    "daphne": ("daphne", "-b", "127.0.0.1", "-p"),
    "uvicorn": ("uvicorn", "--lifespan", "off", "--log-level", "warning", "--port"),
}


@contextmanager
def shared(data: Path) -> Iterator[dict[str, str]]:
    """The settings of processes that share a new database and an emptied corner of Redis."""
    name = f"fleetweb_{os.getpid()}"
    with psycopg.connect(DATABASE_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            url = f"{DATABASE_URL.rpartition('/')[0]}/{name}"
            env = {"DATABASE_URL": url, "REDIS_URL": REDIS_URL}
            _forget_what_is_in_redis()
            migrating = Process.manage("migrate", "--verbosity", "0", data=data, **env)
            with migrating:
                assert migrating.ended().code == 0
            yield env
        finally:
            _forget_what_is_in_redis()
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _forget_what_is_in_redis() -> None:
    with redis.Redis.from_url(REDIS_URL) as corner:
        corner.flushdb()


@contextmanager
def pages(server: str, data: Path, env: dict[str, str]) -> Iterator[tuple[Process, str]]:
    """A web process that answers, and its address."""
    for _ in range(TRIES):
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        command = (sys.executable, "-m", *SERVERS[server], str(port), "fleetweb.asgi:application")
        with Process(command, data, PYTHONPATH=str(ROOT), **env) as process:
            eventually(lambda a=address, p=process: _answers(a) or not p.is_running)
            if process.is_running:
                yield process, address
                return
    raise AssertionError(f"It ended instead of answering: {process.err}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
    return False
