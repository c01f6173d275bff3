"""`manage.py …` and servers as processes of their own, each with a data directory of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
MANAGE = (sys.executable, str(ROOT / "manage.py"))
DEADLINE_S = 40.0
TOKEN = "a-token-for-tests-alone"
OURS = ("FLEETWEB_", "DATABASE_URL", "REDIS_URL", "OLLAMA_", "GEMINI_", "ANTHROPIC_", "DJANGO_")


def eventually(look: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """What `look` sees, once it is true."""
    ends = time.monotonic() + deadline_s
    while not (seen := look()):
        assert time.monotonic() < ends, "It did not come to pass in time."
        time.sleep(0.02)
    return seen


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Process:
    """A command that runs beside the test until it is stopped; by its pid, and no other."""

    def __init__(self, command: tuple[str, ...], data: Path, **env: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self._out, self._err = data / "stdout", data / "stderr"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        settings = {"FLEETWEB_DATA": str(data), "FLEETWEB_TOKEN": TOKEN, **env}
        with self._out.open("w") as out, self._err.open("w") as err:
            self._popen = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=err, env={**kept, **settings}
            )

    @classmethod
    def manage(cls, *arguments: str, data: Path, **env: str) -> "Process":
        return cls((*MANAGE, *arguments), data, **env)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait(DEADLINE_S)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def address(self) -> str:
        """Where the control room is, once it says so; without the token."""

        def printed() -> str | None:
            assert self.is_running, f"It ended instead of opening: {self.err}"
            line = self.out.partition("\n")
            return line[0].removeprefix("Control room: ") if line[1] else None

        parts = urlsplit(eventually(printed))
        return f"{parts.scheme}://{parts.netloc}"

    def ended(self) -> Ended:
        """How it ended, once it has."""
        self._popen.wait(DEADLINE_S)
        return Ended(self._popen.returncode, self.out, self.err)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> Ended:
        self._popen.send_signal(by)
        return self.ended()
