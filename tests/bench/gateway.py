"""What the door adds: `python -m tests.bench gateway [--litellm PATH] [--requests N]`.

The same requests go to an exo whose answers cost nothing, straight and through the gateway, and
with `--litellm` (the path of its proxy's executable) through LiteLLM's proxy as well: in turns,
so that all meet the same machine. What is added is the difference of percentiles, and the processor
time of the door itself, which depends least on what else runs here.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from fleetweb.rehearsal import SMALL
from tests.processes import TOKEN, cpu_s, eventually
from tests.web.v1_door import DAPHNE, opened

AT_ONCE: Final = (1, 16, 20, 64)
ROUNDS: Final = 4
OURS: Final = "fleetweb"
# All at once for what a request costs; at a pace for the wait before its first token: 100 tokens a
# second each, which twenty at once get of no fleet in a house, and 25, as of a good one.
WORDS: Final = {"burst": "at once", "paced": "word by word", "home": "as at home"}


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    address: str
    pid: int
    key: str = TOKEN


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, so many at a time."""

    at_once: int
    stream: bool
    words: str

    @property
    def name(self) -> str:
        kind = "streams" if self.stream else "whole answers"
        return f"{kind}, {self.words}, {self.at_once} at once"

    def body(self) -> bytes:
        messages = [{"role": "user", "content": WORDS[self.words]}]
        return json.dumps({"model": SMALL, "messages": messages, "stream": self.stream}).encode()


@dataclass(frozen=True, slots=True)
class Timing:
    first_ms: float
    whole_ms: float


LOADS: Final = (
    *(Load(n, stream, "burst") for n in AT_ONCE for stream in (False, True)),
    *(Load(n, True, "paced") for n in (1, 20)),
    Load(20, True, "home"),
)


def main(argv: list[str]) -> dict[str, Any]:
    """By load: p50 and p95 of each target, what it adds to asking exo, and requests a second.

    `cpu_ms_per_request` is what each target's own process used.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench gateway")
    parser.add_argument("--litellm", metavar="PATH", help="LiteLLM's proxy, to compare with")
    parser.add_argument("--requests", type=int, default=60, help="of each target in each round")
    given = parser.parse_args(argv)
    with ExitStack() as stack:
        targets = _targets(stack, given.litellm)
        return {load.name: _measured(load, targets, given.requests) for load in LOADS}


def _targets(stack: ExitStack, litellm: str | None) -> list[Target]:
    data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    exo = stack.enter_context(_upstream())
    door = stack.enter_context(opened(DAPHNE, exo.address, data / "fleetweb", model=SMALL))
    found = [exo, Target(OURS, door.address(), door.pid)]
    if litellm:
        found.append(stack.enter_context(_litellm(litellm, exo.address, data)))
    return found


@contextmanager
def _upstream() -> Iterator[Target]:
    """exo with costless answers, in a process of its own."""
    command = (sys.executable, "-m", "tests.scripted_exo")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Target("exo", process.stdout.readline().strip(), process.pid)
        finally:
            process.kill()


@contextmanager
def _litellm(path: str, exo: str, data: Path) -> Iterator[Target]:
    model = {"model": f"openai/{SMALL}", "api_base": f"{exo}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": SMALL, "litellm_params": model}],
        "general_settings": {"master_key": TOKEN},
    }
    file = data / "litellm.yaml"  # of which JSON is a part
    file.write_text(json.dumps(config))
    port = _free_port()
    command = (path, "--config", str(file), "--host", "127.0.0.1", "--port", str(port))
    with (data / "litellm.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_plain_environment())
    try:
        target = Target("litellm", f"http://127.0.0.1:{port}", process.pid)
        eventually(lambda: _answers(target), 180)
        yield target
    finally:
        process.kill()
        process.wait()


def _plain_environment() -> dict[str, str]:
    """Without what is meant for this project, and without asking the network for anything."""
    kept = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
    return {**kept, **offline, "LITELLM_LOG": "ERROR"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _answers(target: Target) -> bool:
    try:
        asyncio.run(_ask(target, Load(1, stream=False, words="burst")))
    except (OSError, ValueError):
        return False
    return True


def _measured(load: Load, targets: Sequence[Target], requests: int) -> dict[str, Any]:
    timings: dict[str, list[Timing]] = {target.name: [] for target in targets}
    spent_s = dict.fromkeys(timings, 0.0)
    worked_s = dict.fromkeys(timings, 0.0)
    for _ in range(ROUNDS):
        for target in targets:
            began, worked = time.perf_counter(), cpu_s(target.pid)
            timings[target.name] += asyncio.run(_round(target, load, requests))
            spent_s[target.name] += time.perf_counter() - began
            worked_s[target.name] += cpu_s(target.pid) - worked
    shown = {
        name: {
            **_percentiles(found),
            "requests_per_s": round(len(found) / spent_s[name], 1),
            "cpu_ms_per_request": round(worked_s[name] * 1000 / len(found), 2),
        }
        for name, found in timings.items()
    }
    return {**shown, "added": _added(shown)}


async def _round(target: Target, load: Load, requests: int) -> list[Timing]:
    """`requests` by as many callers as the load has, each asking again when it is answered."""
    left = iter(range(max(requests, 4 * load.at_once)))

    async def caller() -> list[Timing]:
        return [await _ask(target, load) for _ in left]

    found = await asyncio.gather(*(caller() for _ in range(load.at_once)))
    return [timing for timings in found for timing in timings]


async def _ask(target: Target, load: Load) -> Timing:
    """One request on a connection of its own, by hand: a client's own cost would hide the rest.

    Raises ValueError for anything but a whole answer.
    """
    began = time.perf_counter()
    parts = urlsplit(target.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = load.body()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {target.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer, first = b"", 0.0
    while piece := await reader.read(65536):
        answer += piece
        if not first and b'"content"' in answer:
            first = time.perf_counter()
    whole = time.perf_counter()
    writer.close()
    if b" 200 " not in answer[:20] or b" end" not in answer:
        raise ValueError(answer[:500])
    return Timing((first - began) * 1000, (whole - began) * 1000)


def _percentiles(timings: Sequence[Timing]) -> dict[str, float]:
    firsts = quantiles((t.first_ms for t in timings), n=100)
    wholes = quantiles((t.whole_ms for t in timings), n=100)
    return {
        "first_token_p50_ms": round(firsts[49], 2),
        "first_token_p95_ms": round(firsts[94], 2),
        "whole_p50_ms": round(wholes[49], 2),
        "whole_p95_ms": round(wholes[94], 2),
    }


def _added(shown: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What each door adds to exo alone, and how many times as much LiteLLM's adds as ours."""
    alone = {**shown["exo"], "cpu_ms_per_request": 0.0}
    added: dict[str, Any] = {
        name: {key: round(found[key] - alone[key], 2) for key in alone if "_ms" in key}
        for name, found in shown.items()
        if name != "exo"
    }
    if "litellm" in added:
        ours, theirs = added[OURS], added["litellm"]
        added["litellm_times_ours"] = {
            key: round(theirs[key] / ours[key], 1) for key in ours if ours[key] > 0
        }
    return added
