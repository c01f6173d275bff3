"""Plain connections to addresses, by asyncio alone: the seam that httpcore has for that.

exo closes a connection after each answer, so every request opens one. Through anyio, which httpcore
prefers, that took a third of all that asking exo costs.
"""

import asyncio
import ipaddress
import select
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpcore2 as httpcore

READ_AHEAD_BYTES: Final = 256 * 1024
SENT_TOGETHER_BYTES: Final = 64 * 1024
_ASYNCIO_NAMES: Final = {"client_addr": "sockname", "server_addr": "peername", "socket": "socket"}


class Sockets(httpcore.AnyIOBackend):
    """Opens connections. Names are left to anyio, which tries all their addresses at once."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if not _is_address(host):
            return await super().connect_tcp(host, port, timeout, local_address, socket_options)
        with _faults(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                return Stream(*await asyncio.open_connection(host, port, limit=READ_AHEAD_BYTES))


class Stream(httpcore.AsyncNetworkStream):
    """One connection, not encrypted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unsent = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Written out, for every token passes here: managers of contexts cost more than reading."""
        if self._unsent:
            with suppress(httpcore.WriteError):  # it may have been answered all the same
                await self._send(timeout)
        try:
            if timeout is None:
                return await self._reader.read(max_bytes)
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """What is short waits for what follows: a request's head and body go out as one."""
        self._unsent += buffer
        if len(self._unsent) >= SENT_TOGETHER_BYTES:
            await self._send(timeout)

    async def _send(self, timeout: float | None) -> None:
        data, self._unsent = self._unsent, b""
        with _faults(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(data)
                await self._writer.drain()

    async def aclose(self) -> None:
        """At once: what was not sent yet is nobody's any more."""
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return _is_readable(self._writer.get_extra_info("socket").fileno())
        return self._writer.get_extra_info(_ASYNCIO_NAMES.get(info, info))


@contextmanager
def _faults(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_readable(file: int) -> bool:
    """Whether an idle connection has something to say, which can only be that it was closed."""
    if file < 0:
        return True
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
