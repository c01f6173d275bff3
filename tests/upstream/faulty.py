"""Servers that misbehave on the wire: they answer badly, slowly, for ever or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A server on a free loopback port that meets every connection with `answer`; its address."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(asyncio.CancelledError, ConnectionError):  # cancelled at the end, below
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def reply(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """One whole answer to each request; the connection is kept."""
    lines = (f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request(reader):
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            await writer.drain()

    return answer


def recording(asked: list[bytes], then: Answer) -> Answer:
    """Keeps the first request of each connection, then answers as `then` does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await request(reader)
        asked.append(raw)
        again = asyncio.StreamReader()
        again.feed_data(raw)
        again.feed_eof()
        await then(again, writer)

    return answer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and never says a word, as exo does when it hangs."""
    await request(reader)
    await reader.read()


def dripping(every_s: float) -> Answer:
    """A promised megabyte, one byte at a time: no single read ever times out."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(every_s)

    return answer


def cut(body: bytes, promised: int) -> Answer:
    """Ends in the middle of an answer, as exo does when it is killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {promised}\r\n\r\n".encode() + body)
        await writer.drain()

    return answer


def flood(sent: list[int], declared: bool) -> Answer:
    """A body without end (or of a declared gigabyte); `sent` tells how many bytes left."""
    head = b"content-length: 1073741824" if declared else b"connection: close"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            writer.write(b" " * 1_000_000)
            await writer.drain()
            sent.append(1_000_000)

    return answer


async def request(reader: asyncio.StreamReader) -> bytes:
    """The next request, head and body; b"" when there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(lengths[0][15:])) if lengths else b"")
