"""A provider that says on a real socket exactly what it is told to say."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

CUT: Final = "cut"  # the connection dies here, in the middle of the body
WAIT_S = 5.0

Step = bytes | asyncio.Event | str | float


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Fake:
    """Answers every request with the same steps.

    Bytes are sent, an event is waited for, a number is a pause in seconds, CUT is the end.
    """

    steps: tuple[Step, ...] = ()
    status: int | None = 200  # None: not even a status line comes
    headers: Mapping[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)  # a request is here
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a caller closed its connection
    url: str = ""

    @property
    def request(self) -> Received:
        return self.received[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.received.append(await _read_request(reader))
            self.arrived.set()
            leaving = asyncio.create_task(self._watch(reader))
            try:
                await self._answer(writer)
            finally:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Sees the caller go while the answer is still under way."""
        await reader.read(1)
        self.left.set()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        if self.status is None:
            await self.left.wait()
            return
        head = {"transfer-encoding": "chunked", "connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in head.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for step in self.steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step == CUT:
                return
            elif isinstance(step, bytes) and step:
                writer.write(b"%x\r\n%s\r\n" % (len(step), step))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ", 2)
    return Received(method, path, headers, json.loads(body) if body else None)


@asynccontextmanager
async def serving(fake: Fake) -> AsyncIterator[Fake]:
    """`fake` on a free port of loopback, gone afterwards with all its connections."""
    tasks: set[asyncio.Task[None]] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await fake.serve(reader, writer)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
