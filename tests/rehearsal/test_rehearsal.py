"""The rehearsal as a whole: it starts, counts, lives by itself, and leaves nothing behind."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from fleetweb.errors import ConfigError
from fleetweb.rehearsal import LARGE, LOADING, MEDIUM, SMALL, Rehearsal

from .asking import Caller, instance_of, prompt, statuses
from .waiting import until

ROOT = Path(__file__).resolve().parents[2]


async def test_four_machines_are_there_under_their_names(fleet: Rehearsal, caller: Caller) -> None:
    identities = (await caller.get("/state/nodeIdentities")).json()
    memory = (await caller.get("/state/nodeMemory")).json()
    seen = {
        identity["friendlyName"]: memory[node_id]["ramTotal"]["inBytes"] // 1024**3
        for node_id, identity in identities.items()
    }
    assert seen == {"king": 512, "soldier1": 256, "soldier2": 256, "soldier3": 256}
    assert {i["modelId"] for i in identities.values()} == {"Mac Studio"}
    for node in fleet.nodes:
        assert (await caller.get("/node_id", node.name)).json() == node.id


async def test_larger_fleet_has_more_soldiers() -> None:
    async with Rehearsal(nodes=6) as fleet:
        assert [node.name for node in fleet.nodes][-1] == "soldier5"
        assert len(set(fleet.urls)) == 6


async def test_counts_what_it_is_asked(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL, nodes=["soldier1"])
    before = time.monotonic()
    await caller.get("/state", "soldier2")
    await caller.get("/state/topology", "soldier2")
    await caller.chat(prompt(max_tokens=1), "soldier3")
    assert len(fleet.node("soldier2").state_requests) == 2
    assert all(before <= at <= time.monotonic() for at in fleet.node("soldier2").state_requests)
    assert fleet.node("king").state_requests == []
    assert len(fleet.node("soldier3").chat_requests) == fleet.chat_requests == 1


async def test_knows_which_looks_came_while_a_machine_was_at_work(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    asked = prompt("a long story", LARGE, max_tokens=2000)
    listening = asyncio.create_task(caller.listen(asked, []))
    await until(lambda: fleet.node("soldier1").is_busy)
    await caller.get("/state", "soldier1")
    await caller.get("/state", "soldier2")
    assert len(fleet.node("soldier1").busy_state_requests) == 1
    assert fleet.node("soldier2").busy_state_requests == []
    await listening


async def test_listens_where_it_is_told() -> None:
    base = free_ports(2)
    async with Rehearsal(nodes=2, port_base=base) as fleet:
        assert fleet.urls == [f"http://127.0.0.1:{base}", f"http://127.0.0.1:{base + 1}"]


async def test_taken_port_is_named_and_nothing_stays_open() -> None:
    base = free_ports(2)
    with socket.create_server(("127.0.0.1", base + 1)):
        with pytest.raises(ConfigError, match=f"Port {base + 1} for soldier1 cannot be opened"):
            await Rehearsal(nodes=2, port_base=base).start()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", base)


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            base = int(first.getsockname()[1])
            try:
                for offset in range(1, count):
                    socket.create_server(("127.0.0.1", base + offset)).close()
            except (OSError, OverflowError):
                continue
        return base


async def test_stopping_leaves_no_task_and_no_socket() -> None:
    before = asyncio.all_tasks()
    fleet = Rehearsal(speed=60, quiet_life=True)
    await fleet.start()
    urls = fleet.urls
    reader, writer = await asyncio.open_connection("127.0.0.1", int(urls[0].rpartition(":")[2]))
    await until(lambda: fleet.tasks)
    await fleet.stop()
    assert asyncio.all_tasks() == before
    assert await reader.read() == b""
    writer.close()
    async with httpx.AsyncClient() as client:
        for url in urls:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)


async def test_quiet_life_begins_with_models_and_soon_a_request() -> None:
    async with Rehearsal(speed=60, quiet_life=True) as fleet, httpx.AsyncClient() as client:
        caller = Caller(fleet, client)

        async def has_settled_in() -> bool:
            return instance_of(await caller.state(), LOADING) is not None

        await until(has_settled_in)
        state = await caller.state()
        for model, machines in ((SMALL, 1), (MEDIUM, 1), (LARGE, 3)):
            assert len(statuses(state, model)) == machines
            assert set(statuses(state, model)) <= {"RunnerReady", "RunnerRunning"}
        await until(lambda: [t for t in fleet.tasks if t.model_id == LARGE])


async def test_quiet_life_goes_on_through_an_election() -> None:
    async with Rehearsal(speed=120, quiet_life=True) as fleet:
        await until(lambda: fleet.tasks)
        await fleet.node("king").kill()
        await until(lambda: fleet.master is fleet.node("soldier1"))
        await until(lambda: fleet.tasks)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one node"):
        Rehearsal(nodes=0)
    with pytest.raises(ConfigError, match="speed above 0"):
        Rehearsal(speed=0)


async def rehearse(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "manage.py",
        "rehearse",
        *options,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_command_prints_where_its_nodes_are_and_ends_cleanly(number: signal.Signals) -> None:
    process = await rehearse("--nodes", "2", "--speed", "5")
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
    assert [line[0] for line in lines] == ["king:", "soldier1:"]
    async with httpx.AsyncClient() as client:
        assert (await client.get(lines[0][1] + "/node_id")).status_code == 200
    process.send_signal(number)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_command_names_the_file_and_the_entry_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[faults]]\nkind = "node_explodes"\n')
    process = await rehearse("--faults", str(path))
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert f"{path}, fault 1: the kind 'node_explodes' is unknown" in errors.decode()
