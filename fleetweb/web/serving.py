"""Daphne on an event loop that we end ourselves, so that a process with open sockets exits cleanly.

Left to itself, daphne leaves tasks pending at exit, and Python 3.11 then crashes on SIGTERM while
a socket or a stream is open.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, twisted_loop
from twisted.internet.defer import maybeDeferred

from fleetweb.errors import ConfigError

from .consumers import PresenceConsumer
from .playground.consumer import RunConsumer
from .playground.runs import runs

STREAMS_FINISH_WITHIN_S: Final = 10.0
BACKLOG: Final = 1024  # callers who come at once; Twisted holds 50, and resets the others
# Daphne holds what a browser does not read in memory: one that answers no ping is let go.
PING_EVERY_S = 10
PONG_WITHIN_S = 10
_ADVICE: Final = " Choose another with --host and --port; port 0 is any that is free."


def serve(
    application: Any,
    host: str,
    port: int,
    around: AbstractAsyncContextManager[None],
    ready: Callable[[int], None],
) -> None:
    """Serve until SIGINT or SIGTERM, with `around` entered before and left after.

    `ready` is called with the port's number once pages can be opened. Raises ConfigError if the
    port can't be had, and whatever `around` raises.
    """
    server = _Server(application, host, port, ready)
    loop = twisted_loop
    try:
        loop.run_until_complete(around.__aenter__())
        try:
            server.run()
        finally:
            loop.run_until_complete(around.__aexit__(None, None, None))
    finally:
        _end(loop)
    if server.trouble:
        raise ConfigError(f"Can't listen on {host}, port {port}: {server.trouble}.{_ADVICE}")


class _Server(Server):
    """Daphne, ended in order: no new work, then sockets, then streams, then itself."""

    def __init__(
        self, application: Any, host: str, port: int, ready: Callable[[int], None]
    ) -> None:
        described = build_endpoint_description_strings(host=host, port=port)
        endpoints = [f"{endpoint}:backlog={BACKLOG}" for endpoint in described]
        super().__init__(
            application,
            endpoints,
            signal_handlers=False,
            server_name="fleetweb",
            verbosity=0,
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
        )
        self.ready = ready
        self.ports: list[Any] = []
        self.trouble: str | None = None
        self.stopping: asyncio.Task[None] | None = None

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            twisted_loop.add_signal_handler(number, self._asked_to_stop)
        super().run()

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        self.ports.append(port)
        self.ready(port.getHost().port)

    def listen_error(self, failure: Any) -> None:
        error = getattr(failure.value, "socketError", failure.value)  # Twisted wraps the cause
        self.trouble = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        self.stop()

    def kill_all_applications(self) -> None:
        """Nothing: what still runs is cancelled and awaited after the reactor has stopped."""

    def _asked_to_stop(self) -> None:
        self.stopping = self.stopping or twisted_loop.create_task(self._stop_in_order())

    async def _stop_in_order(self) -> None:
        try:
            await asyncio.gather(*(self._close(port) for port in self.ports))
            await PresenceConsumer.close_all()
            await RunConsumer.close_all()
            if answers := [*self._answers_under_way(), *runs().under_way()]:
                await asyncio.wait(answers, timeout=STREAMS_FINISH_WITHIN_S)
        finally:
            self.stop()

    @staticmethod
    async def _close(port: Any) -> None:
        await maybeDeferred(port.stopListening).asFuture(twisted_loop)

    def _answers_under_way(self) -> list[asyncio.Future[None]]:
        return [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and "disconnected" not in details
        ]


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel and await what is left, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
