"""HTTP/1.1 by hand over asyncio: enough to answer as exo does, and to break as it breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from .clock import Crew
from .state import encode

MOST_HEAD_BYTES = 65_536
MOST_BODY_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the answer to it. `gone` is done once the caller has hung up.

    Nothing is sent while the node hangs.
    """

    def __init__(
        self,
        request: Request,
        writer: asyncio.StreamWriter,
        gone: asyncio.Future[None],
        awake: asyncio.Event,
    ) -> None:
        self.request = request
        self.gone = gone
        self._awake = awake
        self.keeps_alive = request.headers.get("connection", "").lower() != "close"
        self._writer = writer
        self._chunked = False

    async def reply(
        self,
        status: int,
        body: object,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        """A whole answer; bytes are sent as they are, anything else as JSON."""
        await self._awake.wait()
        data = body if isinstance(body, bytes) else encode(body)
        own = {"content-length": str(len(data)), "content-type": content_type}
        self._head(status, own | self._cross_origin() | (headers or {}))
        if self.request.method != "HEAD":
            self._writer.write(data)
        await self._writer.drain()

    async def begin(self, status: int, headers: dict[str, str]) -> None:
        """An answer whose end is not known yet."""
        await self._awake.wait()
        self._chunked = "content-length" not in headers
        coding = {"transfer-encoding": "chunked"} if self._chunked else {}
        if headers.get("connection") == "close":
            self.keeps_alive = False
        self._head(status, headers | coding)
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """A piece of the body."""
        await self._awake.wait()
        if self._chunked:
            data = f"{len(data):x}\r\n".encode() + data + b"\r\n"
        self._writer.write(data)
        await self._writer.drain()

    async def finish(self) -> None:
        await self._awake.wait()
        if self._chunked:
            self._writer.write(b"0\r\n\r\n")
            await self._writer.drain()

    def cut(self) -> None:
        """End of file in the middle: the connection ends with this exchange, finished or not."""
        self.keeps_alive = False

    def _cross_origin(self) -> dict[str, str]:
        if "origin" not in self.request.headers:
            return {}
        return {
            "access-control-allow-origin": "*",
            "access-control-allow-credentials": "true",
        }

    def _head(self, status: int, headers: dict[str, str]) -> None:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"date: {date}", "server: hypercorn-h11"]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin1"))


Answer = Callable[[Exchange], Awaitable[None]]


class Server:
    """A listening port of one node, its connections, and nothing left of either when closed."""

    def __init__(self, answer: Answer) -> None:
        self.awake = asyncio.Event()  # cleared while the node hangs
        self.awake.set()
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._connections = Crew()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int) -> int:
        """Listen on loopback; the port that was taken is returned."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Refuse from now on and cut every connection, as a killed process does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._connections.stop()

    def _protocol(self) -> "_Protocol":
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections.start(self._serve(reader, writer, gone))

        return _Protocol(met, gone)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Future[None]
    ) -> None:
        self._writers.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                exchange = Exchange(request, writer, gone, self.awake)
                await self._answer(exchange)
                if not exchange.keeps_alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            return  # the caller's hang-up, or not HTTP: exo's server says nothing either
        finally:
            self._writers.discard(writer)
            writer.close()


class _Protocol(asyncio.StreamReaderProtocol):
    """Notices at once that a caller hung up, even while nothing is read."""

    def __init__(
        self,
        met: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
        gone: asyncio.Future[None],
    ) -> None:
        super().__init__(asyncio.StreamReader(limit=MOST_HEAD_BYTES), met)
        self._gone = gone

    def eof_received(self) -> bool:
        self._hung_up()
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._hung_up()
        super().connection_lost(exc)

    def _hung_up(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection, None once the caller has hung up between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    line, *lines = head.decode("latin1").rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in lines)}
    body = await _read_body(reader, headers)
    url = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    return Request(method, unquote(url.path), query, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    length = int(headers.get("content-length") or 0)
    if length > MOST_BODY_BYTES:
        raise ValueError(length)
    return await reader.readexactly(length)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if len(body) > MOST_BODY_BYTES:
            raise ValueError(len(body))
    await reader.readline()
    return body
