"""What reading a state costs: `python -m tests.bench decode`. Needs exo's recordings."""

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fleetweb.upstream import http
from fleetweb.upstream.exo import Exo, decode_state
from tests.recordings import load

POLLS_PER_S = 1
COPIES = 16  # of four machines
SEEN_AT = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def main(argv: list[str]) -> dict[str, Any]:
    """Median ms of reading 4 and 64 machines, against plain `json.loads` of the same bytes.

    `fetch_and_decode_cpu_ms` is the processor time of the asking thread alone. `argv`
    may hold the number of rounds (default 15).
    """
    rounds = int(argv[0]) if argv else 15
    four = load("idle-4nodes-state.full.json")
    return {
        "4 nodes": _measure(_body(four), rounds),
        "64 nodes": _measure(_body(_multiplied(four)), rounds),
        "64 nodes, an odd item in every collection": _measure(
            _body(_with_odd_items(_multiplied(four))), rounds
        ),
    }


def _measure(body: bytes, rounds: int) -> dict[str, Any]:
    ours = _median_ms(lambda: decode_state(body, SEEN_AT), rounds)
    plain = _median_ms(lambda: json.loads(body), rounds)
    fetched = asyncio.run(_fetch_cpu_ms(body, rounds))
    return {
        "bytes": len(body),
        "nodes": len(decode_state(body, SEEN_AT).nodes),
        "decode_ms": round(ours, 2),
        "json_loads_ms": round(plain, 2),
        "times_faster_than_json_loads": round(plain / ours, 1),
        "fetch_and_decode_cpu_ms": round(fetched, 2),
        "share_of_a_core": round(fetched * POLLS_PER_S / 1000, 4),
    }


def _median_ms(call: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


async def _fetch_cpu_ms(body: bytes, rounds: int) -> float:
    took = []
    with _served(body) as url:
        for _ in range(rounds):
            started = time.thread_time()
            await Exo(url).state(now=SEEN_AT)
            took.append((time.thread_time() - started) * 1000)
    await http.aclose()
    return statistics.median(took)


@contextmanager
def _served(body: bytes) -> Iterator[str]:
    """`body` at a free loopback port, served by another thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: what is printed is the measure."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _body(state: dict[str, Any]) -> bytes:
    """As exo sends it: without spaces."""
    return json.dumps(state, separators=(",", ":")).encode()


def _multiplied(state: dict[str, Any]) -> dict[str, Any]:
    """The same state with every machine there 16 times, under ids of its own."""
    ids = {id_: [f"{id_[:28]}{i:04d}" for i in range(COPIES)] for id_ in state["topology"]["nodes"]}
    everyone = [copy for copies in ids.values() for copy in copies]
    big = {key: _each(value, ids) if key != "topology" else value for key, value in state.items()}
    edge = {"sinkMultiaddr": {"ip_address": "10.0.0.4", "port": 52415}}
    big["topology"] = {
        "nodes": everyone,
        "connections": {a: {b: [edge] for b in everyone if b != a} for a in everyone},
    }
    return big


def _each(value: Any, ids: dict[str, list[str]]) -> Any:
    if not isinstance(value, dict) or not set(value) & set(ids):
        return value
    return {copy: value[id_] for id_, copies in ids.items() if id_ in value for copy in copies}


def _with_odd_items(state: dict[str, Any]) -> dict[str, Any]:
    """The slow path: one item of a wrong type in each of the maps by node."""
    odd = {key: {**value, "odd": 5} for key, value in state.items() if isinstance(value, dict)}
    return {**state, **odd, "topology": state["topology"]}
