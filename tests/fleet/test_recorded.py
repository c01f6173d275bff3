"""A poller before what a real exo was recorded to say."""

import socket
import sys
from pathlib import Path

import pytest

from fleetweb.core.presence import Condition
from tests.processes import Process, eventually
from tests.recordings import RECORDINGS, REPLAY, needs_recordings
from tests.rehearsal.waiting import until

from .looking import PATIENCE_S, looking

pytestmark = [needs_recordings, pytest.mark.usefixtures("swift")]


@pytest.fixture
def replay(tmp_path: Path):
    """Starts a replay of one recording; its address."""
    started: list[Process] = []

    def start(name: str, speed: float) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        states = ("--states", str(RECORDINGS / name))
        command = (sys.executable, str(REPLAY), "--port", port, *states, "--speed", str(speed))
        process = Process(command, tmp_path / port)
        started.append(process)
        eventually(lambda: process.out)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        with process:
            pass


async def test_a_recorded_generation_is_seen_to_begin_and_end(replay, caplog):
    async with looking(replay("gen-state-every-200ms.json", 2)) as poller:
        await until(lambda: poller.watch.snapshot and poller.watch.snapshot.tasks, PATIENCE_S)
        assert poller.watch.condition is Condition.WELL
        assert poller._busy() == poller.node_ids
        await until(lambda: not poller.watch.snapshot.tasks, PATIENCE_S)
    assert caplog.messages == []


async def test_a_recorded_loss_of_a_machine_is_seen(replay):
    async with looking(replay("kill-worker-in-instance-state-node4.json", 10)) as poller:
        await until(lambda: poller.watch.snapshot, PATIENCE_S)
        most = len(poller.node_ids)
        await until(lambda: 0 < len(poller.node_ids) < most, PATIENCE_S)
        assert poller.watch.answers


async def test_a_whole_state_of_four_machines_is_read_without_a_flaw(replay):
    async with looking(replay("idle-4nodes-state.full.json", 1)) as poller:
        await until(lambda: poller.watch.snapshot, PATIENCE_S)
        assert len(poller.node_ids) == 4
        assert poller.watch.snapshot.flaws == ()
