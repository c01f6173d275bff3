"""`manage.py serve` in a process of its own, which can be killed, hung and started again."""

import asyncio
import atexit
import os
import shutil
import signal
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes import TOKEN, Process


class ControlRoom:
    """One server with a data directory of its own. Started again, it has the port it had."""

    def __init__(self, data: Path, arguments: Sequence[str]) -> None:
        self.data = data
        self.url = ""
        self._arguments = tuple(arguments)
        self._port = 0
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """With the token, as its owner is given it."""
        return f"{self.url}/?token={TOKEN}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns once pages can be opened."""
        serve = ("serve", "--port", str(self._port), *self._arguments)
        if not any(self.data.iterdir()):
            await asyncio.to_thread(shutil.copy, migrated(), self.data)
        self._process = Process.manage(*serve, data=self.data)
        # In a thread, because the fleet it watches may live in this very loop.
        self.url = await asyncio.to_thread(self._process.address)
        self._port = int(self.url.rpartition(":")[2])

    async def end(self) -> None:
        """Ask it to end, as Ctrl-C does, if it still runs."""
        assert self._process is not None
        if self._process.is_running:
            self.resume()
            with self._process:
                await asyncio.to_thread(self._process.stop)

    async def kill(self) -> None:
        assert self._process is not None
        await asyncio.to_thread(self._process.stop, signal.SIGKILL)

    def hang(self) -> None:
        """It keeps its sockets and does nothing any more."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@cache
def migrated() -> Path:
    """A database with its tables and nothing in them: to make them takes a server a second."""
    data = TemporaryDirectory(prefix="fleetweb-migrated-")
    atexit.register(data.cleanup)
    with Process.manage("migrate", data=Path(data.name)) as process:
        ended = process.ended()
    assert ended.code == 0, ended.err
    return Path(data.name) / "fleetweb.sqlite3"
