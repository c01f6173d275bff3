"""From a change in exo's state to what a browser shows, alone and with 200 others watching."""

import argparse
import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import httpx2 as httpx
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from fleetweb.rehearsal import LARGE, SMALL, Rehearsal
from tests.browser.chromium import ARGUMENTS, executable
from tests.browser.control_room import ControlRoom
from tests.browser.visitor import Sight, Visitor
from tests.processes import TOKEN, cpu_s
from tests.rehearsal.asking import Caller, prompt
from tests.rehearsal.waiting import until

CROWDS = (1, 200)
CHANGING, WORKING = "soldier1", ["soldier2", "soldier3"]
HOLDS, EMPTY = "Present and waiting.", "Breathing slow... (idle)"
TARGET_P95_MS = {1: 1500, 200: 1700}
ARRIVES_WITHIN_S = 15.0
BASELINE_FETCHES = 30


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Milliseconds until shown, by number of sockets; what watching costs exo and the server."""
    parser = argparse.ArgumentParser(prog="presence", description=__doc__)
    parser.add_argument("--changes", type=int, default=40, help="changes of exo's state, each time")
    parser.add_argument("--sockets", type=int, nargs="+", default=CROWDS)
    options = parser.parse_args(argv)
    return asyncio.run(_measure(options.changes, options.sockets))


async def _measure(changes: int, crowds: Sequence[int]) -> dict[str, object]:
    async with Rehearsal() as fleet:
        fetch_ms = await _fetches(fleet)
        found = {n: await _crowd(fleet, n, changes) for n in crowds}
    first = found[crowds[0]]["to_the_page_ms"]["p95"]
    return {
        "fetch_of_state_ms": _spread(fetch_ms),
        "by_sockets": {str(n): figures for n, figures in found.items()},
        "page_p95_ratio_to_first": {
            str(n): round(figures["to_the_page_ms"]["p95"] / first, 2)
            for n, figures in found.items()
        },
    }


async def _fetches(fleet: Rehearsal) -> list[float]:
    """The baseline: what it takes to ask a door and do nothing with the answer."""
    took: list[float] = []
    async with httpx.AsyncClient() as client:
        for _ in range(BASELINE_FETCHES):
            began = time.perf_counter()
            await client.get(f"{fleet.urls[0]}/state")
            took.append((time.perf_counter() - began) * 1000)
    return took


async def _crowd(fleet: Rehearsal, sockets: int, changes: int) -> dict[str, Any]:
    """One browser and `sockets` - 1 raw sockets before a server of their own."""
    async with AsyncExitStack() as stack:
        data = stack.enter_context(TemporaryDirectory())
        room = ControlRoom(Path(data), [a for url in fleet.urls for a in ("--exo", url)])
        await room.start()
        stack.push_async_callback(room.end)
        sight = await stack.enter_async_context(_browser(room))
        others = await stack.enter_async_context(_listeners(room, sockets - 1))
        await stack.enter_async_context(_working(fleet))
        await sight.shows(WORKING[0], "processing")
        return await _changes(fleet, room, sight, others, changes)


@dataclass
class Listener:
    """A raw socket that notes when it is told what is waited for."""

    socket: ClientConnection
    awaited: str = ""
    told_at: list[float] = field(default_factory=list)

    async def listen(self) -> None:
        async for frame in self.socket:
            if self.awaited and self.awaited in _said_of(CHANGING, str(frame)):
                self.awaited = ""
                self.told_at.append(time.time())


def _said_of(machine: str, frame: str) -> str:
    """The piece of `frame` that shows the machine, "" where there is none."""
    _, _, after = frame.partition(f'<article id="node-{machine}"')
    return after.partition("</article>")[0]


@asynccontextmanager
async def _listeners(room: ControlRoom, count: int) -> AsyncIterator[list[Listener]]:
    url = f"{room.url.replace('http', 'ws', 1)}/ws/presence/"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with AsyncExitStack() as stack:
        listeners = []
        for _ in range(count):
            socket = connect(url, additional_headers=headers, max_size=None)
            listeners.append(Listener(await stack.enter_async_context(socket)))
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
        yield listeners
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _browser(room: ControlRoom) -> AsyncIterator[Sight]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS)
        )
        visitor = Visitor(await chromium.new_context(viewport={"width": 1440, "height": 900}))
        yield await visitor.open(room.address)
        await chromium.close()


@asynccontextmanager
async def _working(fleet: Rehearsal) -> AsyncIterator[None]:
    """Two machines answer one request after another; the others are free to be asked."""
    instance = await fleet.place(LARGE, WORKING)

    async def asking() -> None:
        async with httpx.AsyncClient(timeout=120) as client:
            while True:
                async for _ in Caller(fleet, client).events(prompt("Tell me a story.", LARGE)):
                    pass

    task = asyncio.create_task(asking())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    fleet.remove(instance)


async def _changes(
    fleet: Rehearsal, room: ControlRoom, sight: Sight, others: list[Listener], changes: int
) -> dict[str, Any]:
    to_page: list[float] = []
    to_sockets: list[float] = []
    rng, usage, began = random.Random(7), Usage.of(room.pid), time.monotonic()
    instance: str | None = None
    for _ in range(changes):
        await asyncio.sleep(rng.uniform(0.2, 1.3))
        sentence = EMPTY if instance else HOLDS
        for other in others:
            other.awaited, other.told_at = sentence, []
        changed_at = time.time()
        if instance:
            instance = fleet.remove(instance)
        else:
            instance = await fleet.place(SMALL, [CHANGING])
        to_page.append(await _shown_after(sight, sentence, changed_at))
        await until(lambda: all(other.told_at for other in others), ARRIVES_WITHIN_S)
        to_sockets += [(other.told_at[0] - changed_at) * 1000 for other in others]
    lasted_s = time.monotonic() - began
    if instance:
        fleet.remove(instance)
    target = TARGET_P95_MS.get(len(others) + 1)
    page = _spread(to_page)
    return {
        "changes": changes,
        "to_the_page_ms": page,
        "target_p95_ms": target,
        "reached": target and page["p95"] <= target,
        "to_raw_sockets_ms": _spread(to_sockets) if to_sockets else None,
        "server": Usage.of(room.pid).since(usage, lasted_s),
        "exo": _asked(fleet, began, lasted_s),
    }


async def _shown_after(sight: Sight, sentence: str, changed_at: float) -> float:
    """Milliseconds from `changed_at` until the page said so, by the browser's own record."""

    async def shown() -> float | None:
        seen = await sight.seen(CHANGING)
        return next((s.at for s in seen if s.at >= changed_at and s.sentence == sentence), None)

    return float((await until(shown, ARRIVES_WITHIN_S) - changed_at) * 1000)


def _asked(fleet: Rehearsal, began: float, lasted_s: float) -> dict[str, Any]:
    """What watching cost exo: how often it was asked for its state, and where."""

    def here(times: list[float]) -> list[float]:
        return [at for at in times if at >= began]

    at = {node.name: here(node.state_requests) for node in fleet.nodes}
    every = sorted(t for times in at.values() for t in times)
    gaps = [after - before for before, after in pairwise(every)]
    return {
        "state_requests_per_s": round(len(every) / lasted_s, 3),
        "shortest_gap_ms": round(min(gaps) * 1000),
        "by_machine": {name: len(times) for name, times in at.items()},
        "at_working_machines": sum(len(here(node.busy_state_requests)) for node in fleet.nodes),
    }


@dataclass(frozen=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    rss_mb: float

    @classmethod
    def of(cls, pid: int) -> "Usage":
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(cpu_s(pid), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)

    def since(self, before: "Usage", lasted_s: float) -> dict[str, float]:
        return {
            "cpu_of_one_core": round((self.cpu_s - before.cpu_s) / lasted_s, 3),
            "rss_mb": round(self.rss_mb, 1),
            "rss_grown_mb": round(self.rss_mb - before.rss_mb, 1),
        }


def _spread(values: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(values), 1)}
