"""A recording of exo, served again at a pace at which a look a second misses nothing."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.recordings import REPLAY, load

# For which the first state goes on, as an idle exo's does: a poller that nobody has answered yet
# asks again after 10 s at most.
LEAD_S = 12
AT_WORK = ("Pending", "Running")
READY = ("RunnerReady", "RunnerRunning")

Row = dict[str, Any]
Pace = tuple[float, float, float]  # from, to, and how many seconds that shall last


@dataclass(frozen=True)
class Replay:
    """Where it is served, and what it says when, by `time.time()`."""

    url: str
    began_at: float
    rows: Sequence[Row]

    def wall(self, t: float) -> float:
        return self.began_at + t - float(self.rows[0]["t"])

    def turns(self, machine: str) -> list[tuple[float, str]]:
        """When a machine began to do what, as the recorded states say it."""
        turns: list[tuple[float, str]] = []
        for row in self.rows:
            doing = _doing(row["state"], machine)
            if not turns or turns[-1][1] != doing:
                turns.append((self.wall(row["t"]), doing))
        return turns


def paced(name: str, *paces: Pace) -> list[Row]:
    """The rows of a recording after a lead, with some of its parts stretched or shortened."""
    recorded = load(name)
    rows: list[Row] = recorded["rows"] if isinstance(recorded, dict) else recorded
    return _lead(rows[0]) + [{**row, "t": _moved(row["t"], paces)} for row in rows]


def _moved(t: float, paces: Sequence[Pace]) -> float:
    """Where the moment `t` of the recording is now."""
    moved = t
    for begins, ends, lasting in paces:
        inside = min(max(t - begins, 0.0), ends - begins)
        moved += inside * (lasting / (ends - begins) - 1)
    return moved


def _lead(first: Row) -> list[Row]:
    """The seconds before: the same state, of which only exo's own clock and count move."""
    return [
        {"t": first["t"] - s, "state": _earlier(first["state"], s)} for s in range(LEAD_S, 0, -1)
    ]


def _earlier(state: dict[str, Any], seconds: int) -> dict[str, Any]:
    state = deepcopy(state)
    state["lastEventAppliedIdx"] -= seconds
    for node, at in state["lastSeen"].items():
        earlier = datetime.fromisoformat(at) - timedelta(seconds=seconds)
        state["lastSeen"][node] = earlier.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return state


def _doing(state: dict[str, Any], machine: str) -> str:
    """What a recorded state says of a machine, in the page's words. Knows no trouble."""
    names = {id_: who["friendlyName"] for id_, who in state["nodeIdentities"].items()}
    doing = "idle"
    for id_, instance in state["instances"].items():
        (inner,) = instance.values()
        assigned = inner["shardAssignments"]["nodeToRunner"]
        if machine not in [names[node] for node in assigned]:
            continue
        phases = [next(iter(state["runners"].get(r, {"": {}}))) for r in assigned.values()]
        if any(phase not in READY for phase in phases):
            doing = "waking"
        elif any(_is_work(task, id_) for task in state["tasks"].values()):
            doing = "processing"
    return doing


def _is_work(task: dict[str, Any], instance_id: str) -> bool:
    asked = task.get("TextGeneration", {})
    return asked.get("instanceId") == instance_id and asked.get("taskStatus") in AT_WORK


@asynccontextmanager
async def replaying(rows: list[Row], port: int, directory: Path) -> AsyncIterator[Replay]:
    file = directory / "rows.json"
    file.write_text(json.dumps(rows))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(REPLAY), "--port", str(port), "--states", str(file)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 20)
        yield Replay(f"http://127.0.0.1:{port}", time.time(), rows)
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
