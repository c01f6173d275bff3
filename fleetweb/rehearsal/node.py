"""One node of the rehearsal as those who use it see it: an address, and ways to hurt it."""

import time
from collections import deque

from .api import answer
from .machine import Machine
from .wire import Exchange, Server
from .world import Call, World

REMEMBERED = 10_000  # requests, so that a rehearsal can run for months


class Node:
    """A machine with exo's API on a port of its own. Times are `time.monotonic()`."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world, self._machine = world, machine
        self._server = Server(self._answer)
        self._state_requests: deque[float] = deque(maxlen=REMEMBERED)
        self._busy_state_requests: deque[float] = deque(maxlen=REMEMBERED)
        self._chat_requests: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def id(self) -> str:
        """Its present id in exo; new after every restart."""
        return self._machine.id

    @property
    def name(self) -> str:
        return self._machine.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._machine.port}"

    @property
    def is_up(self) -> bool:
        return self._machine.is_up

    @property
    def is_hung(self) -> bool:
        return self._machine.is_hung

    @property
    def is_busy(self) -> bool:
        """Whether an instance with a part here is at work."""
        return self.id in self._world.cluster.busy_node_ids()

    @property
    def state_requests(self) -> list[float]:
        """When it was asked for `/state` or a part of it."""
        return list(self._state_requests)

    @property
    def busy_state_requests(self) -> list[float]:
        """Those of them that came while it was at work."""
        return list(self._busy_state_requests)

    @property
    def chat_requests(self) -> list[float]:
        return list(self._chat_requests)

    async def open(self, port: int) -> None:
        self._machine.port = await self._server.open(port)

    async def close(self) -> None:
        await self._server.close()

    async def kill(self) -> None:
        """As by SIGKILL: connections are cut, new ones refused, and nothing says so."""
        was_well = self._machine.is_well
        self._machine.is_up = self._machine.is_hung = False
        await self._server.close()
        self._server.awake.set()
        if was_well:
            self._world.membership.went_silent(self._machine)

    def hang(self) -> None:
        """As by SIGSTOP: connections are accepted and never answered."""
        if self._machine.is_well:
            self._machine.is_hung = True
            self._server.awake.clear()
            self._world.membership.went_silent(self._machine)

    def resume(self) -> None:
        """Go on after a hang, under the same id."""
        if self._machine.is_hung:
            self._machine.is_hung = False
            self._server.awake.set()
            self._world.membership.goes_on(self._machine)

    async def restart(self) -> None:
        """Start exo anew at the same address: returns once it listens, with a new id.

        At first it shows only itself, then nothing, then the cluster it has joined.
        """
        await self.kill()
        await self._server.open(self._machine.port)
        self._machine.is_up = True
        self._world.membership.came_back(self._machine)

    async def _answer(self, exchange: Exchange) -> None:
        self._note(exchange.request.path)
        await self._server.awake.wait()
        if delay_s := self._world.mischief.delay_s(self.name):
            await self._world.cluster.stage.clock.sleep(delay_s)
        await answer(Call(self._world, self._machine, exchange))

    def _note(self, path: str) -> None:
        now = time.monotonic()
        if path == "/state" or path.startswith("/state/"):
            self._state_requests.append(now)
            if self.is_busy:
                self._busy_state_requests.append(now)
        elif path == "/v1/chat/completions":
            self._chat_requests.append(now)
