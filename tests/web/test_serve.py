"""`manage.py serve` as its owner runs it: a process, real sockets, signals."""

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import DEADLINE_S, ROOT, TOKEN, Ended, Process, eventually

BEARER = {"Authorization": f"Bearer {TOKEN}"}
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) fleetweb\.[a-z_.]+: .+")


def serve(data: Path, *arguments: str, port: int = 0, **env: str) -> Process:
    return Process.manage("serve", "--port", str(port), *arguments, data=data, **env)


def ask(address: str, path: str) -> httpx.Response:
    return httpx.get(address + path, headers=BEARER, timeout=10, trust_env=False)


def presence_of(address: str) -> dict:
    return ask(address, "/api/presence").json()


def open_socket(address: str) -> ClientConnection:
    url = address.replace("http", "ws", 1) + "/ws/presence/"
    return connect(url, additional_headers=BEARER, proxy=None)


def close_code(opened: ClientConnection) -> int | None:
    """With what the other side ended it, once it has."""
    try:
        while True:
            opened.recv(10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def only_log_lines(err: str) -> bool:
    return all(LOG_LINE.fullmatch(line) for line in err.splitlines())


def went_well(ended: Ended) -> bool:
    assert "Traceback" not in ended.err, ended.err
    assert only_log_lines(ended.err), ended.err
    return ended.code == 0


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve(tmp_path_factory.mktemp("rehearsed"), "--rehearsal") as process:
        yield process


def test_prints_one_line_and_only_when_the_page_can_be_opened(rehearsed):
    address = rehearsed.address()
    assert ask(address, "/healthz").json() == {"status": "ok"}
    line = f"Control room: {address}/?token={TOKEN}\n"
    assert rehearsed.out == line
    page = httpx.get(line.split()[-1], follow_redirects=True, trust_env=False)
    assert page.status_code == 200
    assert 'id="room"' in page.text


def test_says_the_real_port_when_any_will_do(rehearsed):
    assert not rehearsed.address().endswith(":0")


def test_a_rehearsal_says_so_and_lives(rehearsed):
    address = rehearsed.address()
    seen = eventually(lambda: (p := presence_of(address)) and len(p["nodes"]) == 4 and p)
    assert seen["rehearsal"] is True
    assert [node["name"] for node in seen["nodes"]] == ["king", "soldier1", "soldier2", "soldier3"]


def test_a_socket_gets_the_room_then_beats_that_say_when_the_fleet_was_watched(rehearsed):
    eventually(lambda: presence_of(rehearsed.address())["nodes"])
    with open_socket(rehearsed.address()) as opened:
        first = opened.recv(10)
        assert 'hx-target="#room"' in first
        beats = []
        while len(beats) < 3:
            message = opened.recv(10)
            if message.startswith("{"):
                beats.append(json.loads(message))
    assert [beat["beat"] for beat in beats] == [1, 2, 3]
    assert all(beat["watched_at"] for beat in beats)
    assert beats[0]["at"] < beats[2]["at"]


def test_a_stranger_sees_nothing(rehearsed):
    address = rehearsed.address()
    for path in ("/api/presence", "/api/cluster", "/metrics"):
        assert httpx.get(address + path, trust_env=False).status_code == 401
    with pytest.raises(Exception, match="403"):
        connect(address.replace("http", "ws", 1) + "/ws/presence/", proxy=None)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_order_with_five_sockets_open(tmp_path, by):
    with serve(tmp_path, "--rehearsal") as process, ExitStack() as stack:
        address = process.address()
        sockets = [stack.enter_context(open_socket(address)) for _ in range(5)]
        for opened in sockets:
            opened.recv(10)
        assert went_well(process.stop(by))
        for opened in sockets:
            assert close_code(opened) == 4012


def test_starts_again_after_kill_9(tmp_path):
    with serve(tmp_path, "--rehearsal") as process:
        eventually(lambda: presence_of(process.address())["nodes"])
        process.stop(signal.SIGKILL)
    with serve(tmp_path, "--rehearsal") as process:
        seen = eventually(
            lambda: (p := presence_of(process.address())) and len(p["nodes"]) == 4 and p
        )
        assert seen["sequence"] > 0
        assert went_well(process.stop())


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve(tmp_path, "--rehearsal", port=port) as process:
            ended = process.ended()
    assert (ended.code, ended.out) == (2, "")
    assert f"port {port}" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--exo", "king.local:52415"], {}, "--exo"),
        (["--port", "70000"], {}, "--port"),
        (["--host", "no-such-name.invalid"], {}, "no-such-name.invalid"),
        ([], {"FLEETWEB_STRATEGY": "fastest"}, "FLEETWEB_STRATEGY"),
        ([], {"FLEETWEB_EXO_URLS": "ftp://king"}, "FLEETWEB_EXO_URLS"),
        ([], {"FLEETWEB_FLEET": "nowhere.toml"}, "FLEETWEB_FLEET"),
        ([], {"DATABASE_URL": "sqlite:////nowhere/fleetweb.sqlite3"}, "DATABASE_URL"),
    ],
    ids=["exo", "port", "host", "strategy", "exo-urls", "fleet", "database"],
)
def test_what_is_set_wrong_is_said_in_one_sentence(tmp_path, arguments, env, said):
    with Process.manage("serve", "--rehearsal", *arguments, data=tmp_path, **env) as process:
        ended = process.ended()
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    told = [line for line in ended.err.splitlines() if not LOG_LINE.fullmatch(line)]
    assert len(told) == 1, ended.err
    assert said in told[0]


def test_a_database_that_is_not_one_is_said_in_one_sentence(tmp_path):
    (tmp_path / "rehearsal.sqlite3").write_text("this is a letter, not a database. " * 100)
    with serve(tmp_path, "--rehearsal") as process:
        ended = process.ended()
    assert ended.code == 2
    assert "FLEETWEB_DATA" in ended.err
    assert "Traceback" not in ended.err


def test_a_poller_of_its_own_wants_redis(tmp_path):
    with Process.manage("poller", data=tmp_path) as process:
        ended = process.ended()
    assert ended.code == 2
    assert "REDIS_URL" in ended.err


@pytest.fixture
def two_exos(tmp_path: Path) -> Iterator[list[str]]:
    """A rehearsal of two machines in a process of its own; their addresses."""
    with Process.manage("rehearse", "--nodes", "2", data=tmp_path / "exo") as process:
        eventually(lambda: process.out.count("\n") >= 2)
        yield [line.partition(": ")[2] for line in process.out.splitlines()[:2]]


def test_two_addresses_of_one_cluster_are_its_doors(tmp_path, two_exos):
    first, second = two_exos
    with serve(tmp_path / "room", "--exo", first, "--exo", second) as process:
        address = process.address()
        seen = eventually(
            lambda: (p := presence_of(address)) and len(p["clusters"]) == 1 and p["nodes"] and p
        )
        assert seen["rehearsal"] is False
        assert {door["url"] for door in seen["clusters"][0]["doors"]} == {first, second}
        assert went_well(process.stop())


def test_of_two_on_one_database_the_other_goes_on_when_one_is_killed(tmp_path, two_exos):
    data = str(tmp_path / "shared")
    with (
        serve(tmp_path / "one", "--exo", two_exos[0], FLEETWEB_DATA=data) as one,
        serve(tmp_path / "two", "--exo", two_exos[0], FLEETWEB_DATA=data) as two,
    ):
        addresses = {process: process.address() for process in (one, two)}
        holder = eventually(lambda: next((p for p in addresses if _polls(addresses[p])), None))
        standby = two if holder is one else one
        eventually(lambda: "this one stands by" in standby.err)
        assert not _polls(addresses[standby])
        holder.stop(signal.SIGKILL)
        eventually(lambda: _polls(addresses[standby]))
        assert "This poller takes over." in standby.err
        assert went_well(standby.stop())


def _polls(address: str) -> bool:
    """Without Redis each process shows only what it polls itself."""
    return bool(presence_of(address)["nodes"])


def test_without_any_exo_it_rehearses(tmp_path):
    with suppress(OSError), socket.create_connection(("127.0.0.1", 52415), 1):
        pytest.skip("something answers at exo's own port on this machine")
    with serve(tmp_path) as process:
        seen = eventually(
            lambda: (p := presence_of(process.address())) and len(p["nodes"]) == 4 and p
        )
        assert seen["rehearsal"] is True


def test_an_exo_that_is_away_is_not_replaced_by_a_rehearsal(tmp_path):
    with serve(tmp_path, "--exo", "http://127.0.0.1:9") as process:
        address = process.address()
        seen = eventually(lambda: (p := presence_of(address)) and p["nodes"] and p)
        assert seen["rehearsal"] is False
        assert seen["fleet_status"] == "offline"
        assert seen["clusters"][0]["condition"] == "unreachable"
        assert went_well(process.stop())


IMPATIENT = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "fleetweb.settings"
import django
django.setup()
from django.core.management import execute_from_command_line
from fleetweb.web import serving
serving.PING_EVERY_S = serving.PONG_WITHIN_S = 1
execute_from_command_line(["manage.py", "serve", "--port", "0", "--rehearsal"])
"""


def test_a_browser_that_answers_no_ping_is_let_go(tmp_path):
    """So what it does not read can't pile up in memory."""
    command = (sys.executable, "-c", IMPATIENT)
    with Process(command, tmp_path, PYTHONPATH=str(ROOT)) as process:
        host, _, port = process.address().removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as deaf:
            deaf.sendall(HANDSHAKE.format(host=f"{host}:{port}", token=TOKEN).encode())
            assert deaf.recv(4096).startswith(b"HTTP/1.1 101")
            with suppress(ConnectionResetError):
                while deaf.recv(65536):
                    pass
        assert went_well(process.stop())


HANDSHAKE = (
    "GET /ws/presence/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_what_is_pretended_is_remembered_apart(tmp_path):
    with Process.manage("serve", "--port", "0", "--rehearsal", data=tmp_path) as rehearsal:
        rehearsal.address()
        made = Process.manage("apikey", "create", "trial", data=tmp_path).ended()
        assert made.code == 0
        assert rehearsal.stop().code == 0
    assert (tmp_path / "rehearsal.sqlite3").exists()
    assert not (tmp_path / "fleetweb.sqlite3").exists()
    with Process.manage(
        "serve", "--port", "0", "--exo", "http://127.0.0.1:9", data=tmp_path
    ) as real:
        real.address()
        listed = Process.manage("apikey", "list", data=tmp_path).ended()
    assert "trial" not in listed.out
