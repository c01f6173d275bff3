"""Grown past one process: pages here, the poller there, PostgreSQL and Redis between them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
import redis
from websockets.sync.client import connect

from tests.processes import Process, eventually

from .grown import BEARER, REDIS_URL, SERVERS, grown, pages, shared

pytestmark = grown

CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with shared(tmp_path_factory.mktemp("migrate")) as env:
        yield env


@pytest.fixture
def exo(tmp_path: Path) -> Iterator[str]:
    """A rehearsal in a process of its own; the address of its king."""
    with Process.manage("rehearse", "--speed", "5", data=tmp_path / "exo") as process:
        eventually(lambda: process.out.count("\n") >= 4)
        yield process.out.splitlines()[0].partition(": ")[2]


@pytest.mark.parametrize("server", SERVERS)
def test_what_one_process_sees_another_shows(tmp_path, env, exo, server):
    watched = {**env, "FLEETWEB_EXO_URLS": exo}
    with pages(server, tmp_path / "pages", env) as (_, address):
        url = address.replace("http", "ws", 1) + "/ws/presence/"
        with (
            connect(url, additional_headers=BEARER, proxy=None) as opened,
            Process.manage("poller", data=tmp_path / "one", **watched) as one,
            Process.manage("poller", data=tmp_path / "two", **watched) as two,
        ):
            _hears_pushes(opened)
            _one_takes_over_when_the_other_is_killed(one, two)
            _hears_pushes(opened)
            survivor = one if one.is_running else two
            ended = survivor.stop(signal.SIGTERM)
            assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err


def test_a_restart_of_postgresql_or_redis_costs_no_request(tmp_path, env):
    """What it does to who is connected, and a firewall to who says nothing for long."""
    with (
        psycopg.connect(env["DATABASE_URL"], autocommit=True) as database,
        pages("uvicorn", tmp_path / "pages", env) as (_, address),
        httpx.Client(base_url=address, headers=BEARER, trust_env=False) as browser,
    ):
        for path in ("/", "/requests/", "/v1/models"):
            assert browser.get(path).status_code == 200
            assert database.execute(CUT_OFF).fetchall()
            cut_off_from_redis()
            assert browser.get(path).status_code == 200


def cut_off_from_redis() -> None:
    """Everybody who is connected to this run's corner of it, but who asks."""
    with redis.Redis.from_url(REDIS_URL) as corner:
        number, own = str(corner.get_connection_kwargs()["db"]), str(corner.client_id())
        others = [c["id"] for c in corner.client_list() if c["db"] == number and c["id"] != own]
        assert others
        for other in others:
            corner.client_kill_filter(_id=other)


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
