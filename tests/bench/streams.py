"""Presence from streams: how true forecasts are, how soon a change and a death are known.

`python -m tests.bench streams` learns and predicts on a fast rehearsal, and kills a machine at
exo's own pace; `--page` measures from a stream's first token to what a browser shows instead.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

import django
import httpx2 as httpx
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from fleetweb.core.forecast import Calibration, Forecast
from fleetweb.core.presence import FleetPresence
from fleetweb.core.streams import Stage
from fleetweb.rehearsal import LARGE, MEDIUM, SMALL, Fault, FaultKind, Rehearsal
from tests.bench.presence import Usage
from tests.browser.chromium import ARGUMENTS, executable
from tests.browser.control_room import ControlRoom
from tests.browser.visitor import Sight, Visitor
from tests.processes import TOKEN
from tests.rehearsal.waiting import until
from tests.web.v1_door import BEARER, is_loaded

SPEED: Final = 20.0
AT_ONCE: Final = 3
PLACES: Final = {SMALL: ["soldier1"], MEDIUM: ["king"]}
CROWDS: Final = (1, 50, 200)
TARGETS: Final = {
    "p90_covers": [0.85, 0.95],
    "to_the_page_p95_ms": {"1": 300, "200": 500},
    "death_known_s": 8,
}
READ_FOR_S: Final = 2  # a prompt of so many seconds, so that reading is seen before the first token
PATIENCE_S: Final = 60.0
WORKING: Final = 'data-node="soldier1" data-state="processing"'


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="streams", description=__doc__)
    parser.add_argument("--learn", type=int, default=30, help="requests to learn from, per model")
    parser.add_argument("--judge", type=int, default=100, help="requests to judge by, per model")
    parser.add_argument("--page", action="store_true", help="measure in a browser instead")
    parser.add_argument("--tokens", type=int, default=30, help="first tokens to see, each time")
    parser.add_argument("--sockets", type=int, nargs="+", default=CROWDS)
    options = parser.parse_args(argv)
    if options.page:
        return asyncio.run(_pages(options.tokens, options.sockets))
    return _in_a_house(options.learn, options.judge)


def _in_a_house(learn: int, judge: int) -> dict[str, Any]:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return asyncio.run(_forecasts_and_deaths(learn, judge))


async def _forecasts_and_deaths(learn: int, judge: int) -> dict[str, Any]:
    return {
        "targets": TARGETS,
        **await _forecasts(learn, judge),
        "death": {
            kind.value: await _death(kind) for kind in (FaultKind.NODE_DIES, FaultKind.NODE_HANGS)
        },
    }


# How true forecasts are, and how soon a change is published


@dataclass
class Notebook:
    """When requests entered their stages, and how long until that was published."""

    entered: dict[tuple[str, Stage], float] = field(default_factory=dict)
    published_ms: list[float] = field(default_factory=list)

    def changed(self, passage: Any) -> None:
        self.entered.setdefault((passage.id, passage.stage), time.monotonic())

    async def presence_published(self, presence: FleetPresence, **_signal: Any) -> None:
        now = time.monotonic()
        for stream in presence.streams:
            entered = self.entered.get((stream.id, stream.stage))
            if entered is not None and stream.stage is not Stage.WAITING:
                self.published_ms.append((now - entered) * 1000)
                self.entered[stream.id, stream.stage] = float("inf")  # once is enough
        self.published_ms = [ms for ms in self.published_ms if ms >= 0]


async def _forecasts(learn: int, judge: int) -> dict[str, Any]:
    from fleetweb.fleet.signals import presence_published
    from tests.gateway.house import house, loaded

    notebook, found = Notebook(), {}
    presence_published.connect(notebook.presence_published)
    async with Rehearsal(speed=SPEED) as fleet:
        for model, nodes in PLACES.items():
            await fleet.place(model, nodes)
        async with house([fleet]) as gateway:
            for model in PLACES:
                await loaded(model)
            crew = (_calibrate(gateway, notebook, model, learn, judge) for model in PLACES)
            found = dict(zip(PLACES, await asyncio.gather(*crew), strict=True))
    return {"forecasts": found, "stage_to_presence_ms": _spread(notebook.published_ms)}


async def _calibrate(
    gateway: Any, notebook: Notebook, model: str, learn: int, judge: int
) -> dict[str, Any]:
    """Requests of all sizes, a few at once; those after the first `learn` are judged."""
    draw, turn, done = random.Random(model), asyncio.Semaphore(AT_ONCE), []

    async def one() -> None:
        async with turn:
            done.append(await _asked(gateway, notebook, model, draw))

    await asyncio.gather(*(one() for _ in range(learn + judge)))
    first, end = Calibration(), Calibration()
    for passage in done[learn:]:
        said = passage.measures.promised or Forecast()
        if said.first_token and said.end:
            first = first.observe(said.first_token, passage.measures.marks.first_token)
            end = end.observe(said.end, passage.measures.marks.ended)
    return {"first_token": _covers(first), "end": _covers(end)}


async def _asked(gateway: Any, notebook: Notebook, model: str, draw: random.Random) -> Any:
    from tests.gateway.house import ME, prompt

    tokens = int(min(4000, draw.lognormvariate(5.5, 1.2)))
    text = f"{draw.random()} " + "word " * max(1, tokens * 4 // 5)
    bound = draw.choice([None, draw.randint(16, 200)])
    passage = gateway.begin(prompt(text, model, max_tokens=bound), ME)
    tell = passage.changed

    def changed(passage: Any) -> None:
        notebook.changed(passage)
        tell(passage)

    passage.changed = changed
    async for _ in gateway.answer(passage):
        pass
    return passage


def _covers(calibration: Calibration) -> dict[str, Any]:
    share = calibration.within_p50 / calibration.forecasts if calibration.forecasts else None
    return {
        "forecasts": calibration.forecasts,
        "within_p50": share and round(share, 3),
        "within_p90": calibration.coverage and round(calibration.coverage, 3),
    }


# How soon a death is known


async def _death(kind: FaultKind) -> dict[str, float]:
    """Seconds from when a machine is lost in mid-stream, at exo's own pace."""
    from fleetweb.fleet import live
    from tests.gateway.house import ask, house, loaded, prompt

    async with Rehearsal() as fleet:
        workers = [node.name for node in fleet.nodes if node != fleet.master][:2]
        await fleet.place(LARGE, workers)
        async with house([fleet]) as gateway:
            await loaded(LARGE)
            answer = asyncio.create_task(ask(gateway, prompt("A long story.", LARGE, max_tokens=0)))
            await until(lambda: any(p.measures.tokens > 5 for p in gateway.desk.passages.values()))
            (passage,) = gateway.desk.passages.values()
            victim = next(name for name in workers if name != passage.node)
            began = time.monotonic()
            fleet.inject(Fault(kind, node=victim))

            async def held_up() -> bool:
                seen = await live.current()
                node = seen and seen.node(passage.node)
                return bool(node and node.load.sentence.startswith(f"Held up: {victim}"))

            await until(held_up, PATIENCE_S)
            page_s = time.monotonic() - began
            await answer
            return {"page_s": round(page_s, 2), "caller_s": round(time.monotonic() - began, 2)}


# From a stream's first token to a browser


async def _pages(tokens: int, crowds: Sequence[int]) -> dict[str, Any]:
    async with Rehearsal() as fleet:
        await fleet.place(SMALL, ["soldier1"])
        found = {str(crowd): await _page(fleet, crowd, tokens) for crowd in crowds}
    return {"targets": TARGETS, "from_first_token_by_sockets": found}


async def _page(fleet: Rehearsal, sockets: int, tokens: int) -> dict[str, Any]:
    """One browser and `sockets` raw sockets before a server of their own."""
    async with AsyncExitStack() as stack:
        data = stack.enter_context(TemporaryDirectory())
        room = ControlRoom(Path(data), [a for url in fleet.urls for a in ("--exo", url)])
        await room.start()
        stack.push_async_callback(room.end)
        await until(lambda: asyncio.to_thread(is_loaded, room.url, SMALL), PATIENCE_S)
        sight = await stack.enter_async_context(_browser(room))
        watch = [await stack.enter_async_context(_listener(room)) for _ in range(sockets)][-1]
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=room.url, headers=BEARER, timeout=60, trust_env=False)
        )
        usage, began, pushed = Usage.of(room.pid), time.monotonic(), len(watch.pushes)
        found = [await _first_token(client, sight, watch, n) for n in range(tokens)]
        used = Usage.of(room.pid).since(usage, lasted_s := time.monotonic() - began)
        pushes = len(watch.pushes) - pushed
        return {
            "to_the_page_ms": _spread([page for page, _ in found]),
            "to_the_last_socket_ms": _spread([socket for _, socket in found]),
            "pushes": pushes,
            "server_cpu_ms_per_push": round(used["cpu_of_one_core"] * lasted_s * 1000 / pushes, 1),
            "load_of_the_machine": os.getloadavg()[0],
        }


async def _first_token(
    client: httpx.AsyncClient, sight: Sight, watch: "Watch", number: int
) -> tuple[float, float]:
    """Milliseconds from when a caller had the first token until the page and a socket had it."""
    await sight.shows("soldier1", "idle")
    began, told_at = time.time(), 0.0
    body = {
        "model": SMALL,
        "stream": True,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": f"{number} " + "word " * 660 * READ_FOR_S}],
    }
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            if not told_at and line.startswith("data: {") and '"content":"' in line:
                told_at = time.time()

    async def shown() -> float | None:
        seen = await sight.seen("soldier1")
        return next((s.at for s in seen if s.at > began and s.state == "processing"), None)

    page_at = float(await until(shown, PATIENCE_S))
    socket_at = next(at for at, push in watch.pushes if at > began and WORKING in push)
    return (page_at - told_at) * 1000, (socket_at - told_at) * 1000


@asynccontextmanager
async def _browser(room: ControlRoom) -> AsyncIterator[Sight]:
    async with async_playwright() as playwright:
        options = {"executable_path": executable(), "args": list(ARGUMENTS)}
        chromium = await playwright.chromium.launch(**options)
        visitor = Visitor(await chromium.new_context(viewport={"width": 1440, "height": 900}))
        yield await visitor.open(room.address)
        await chromium.close()


@dataclass
class Watch:
    """What a raw socket was pushed, and when by `time.time()`."""

    pushes: list[tuple[float, str]] = field(default_factory=list)

    async def listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            if not str(frame).startswith("{"):
                self.pushes.append((time.time(), str(frame)))


@asynccontextmanager
async def _listener(room: ControlRoom) -> AsyncIterator[Watch]:
    """Somebody else who watches, and reads all that is pushed."""
    url = f"{room.url.replace('http', 'ws', 1)}/ws/presence/"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    options = {"max_size": None, "ping_interval": None}
    async with connect(url, additional_headers=headers, **options) as socket:
        watch = Watch()
        reading = asyncio.create_task(watch.listen(socket))
        yield watch
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _spread(values: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {
        "count": len(values),
        "p50": round(cuts[49], 1),
        "p95": round(cuts[94], 1),
        "max": round(max(values), 1),
    }
