"""`POST /v1/chat/completions`: the answer as a whole, or as a stream of events."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

from fleetweb.core.chat import Chunk, Collector
from fleetweb.core.openai import (
    ChunkWriter,
    comment,
    completion_body,
    decode_json,
    parse_request,
)
from fleetweb.errors import FleetError
from fleetweb.gateway.passage import Passage
from fleetweb.gateway.running import gateway

from .callers import Identity, caller_of
from .exchange import Exchange
from .telling import answer_id, headers_of, standing

# Until then a failover can still be told in the headers, and a failure in the status.
BEGINS_WITHIN_S: Final = 2.0
NEWS_EVERY_S: Final = 0.5
SILENT_FOR_AT_MOST_S: Final = 10.0
STREAM: Final = {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
KEEP_ALIVE: Final = comment("keep-alive")


async def chat(exchange: Exchange, identity: Identity) -> None:
    """Raises FleetError for a request that can't be begun."""
    caller = caller_of(identity, exchange.headers)
    request = parse_request(decode_json(await exchange.body()))
    passage = gateway().begin(request, caller)
    answer = Streamed(exchange, passage).answer() if request.stream else _whole(exchange, passage)
    await exchange.while_listening(answer)


async def _whole(exchange: Exchange, passage: Passage) -> None:
    said = Collector()
    try:
        async with aclosing(gateway().answer(passage)) as chunks:
            async for chunk in chunks:
                said.add(chunk)
    except FleetError as error:
        await exchange.refuse(error, headers_of(passage))
        return
    body = completion_body(
        said.completion(),
        answer_id=answer_id(passage),
        created=int(passage.asked_at.timestamp()),
        model=passage.model_id,
    )
    await exchange.reply(200, body, headers_of(passage))


class Streamed:
    """An answer on its way out, and a beat beside it that shows life while there is no answer."""

    def __init__(self, exchange: Exchange, passage: Passage) -> None:
        self._exchange = exchange
        self._passage = passage
        self._writer = ChunkWriter(
            answer_id=answer_id(passage),
            created=int(passage.asked_at.timestamp()),
            model=passage.request.model,
            include_usage=passage.request.include_usage,
        )
        self._has_spoken = False
        self._sent_at = time.monotonic()
        self._sending = asyncio.Lock()

    async def answer(self) -> None:
        beating = asyncio.create_task(self._beat())
        try:
            async with aclosing(gateway().answer(self._passage)) as chunks:
                async for chunk in chunks:
                    await self._tell(chunk)
        except FleetError as error:
            async with self._sending:
                await self._exchange.refuse(error, headers_of(self._passage))
        else:
            # Only now is it in the history: nobody has a whole answer that is not remembered.
            await self._say(self._writer.end(), is_last=True)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _tell(self, chunk: Chunk) -> None:
        is_first = chunk.has_output and not self._has_spoken
        self._has_spoken = self._has_spoken or is_first
        self._writer.model = self._passage.model_id or self._writer.model
        is_news = self._exchange.begun or self._has_spoken or chunk.finish_reason is not None
        if is_news and (data := self._writer.write(chunk)):
            await self._say(data)
        if is_first:
            await _sent()

    async def _beat(self) -> None:
        await asyncio.sleep(BEGINS_WITHIN_S)
        told: bytes | None = None
        while True:
            silent_s = time.monotonic() - self._sent_at
            news = None if self._has_spoken else standing(self._passage)
            if news is not None and news != told:
                await self._say(news)
                told = news
            elif silent_s >= SILENT_FOR_AT_MOST_S or not self._exchange.begun:
                await self._say(KEEP_ALIVE)
            await asyncio.sleep(NEWS_EVERY_S)

    async def _say(self, data: bytes, *, is_last: bool = False) -> None:
        async with self._sending:
            self._sent_at = time.monotonic()
            if not self._exchange.begun:
                await self._exchange.begin(200, {**STREAM, **headers_of(self._passage)})
            if is_last:
                await self._exchange.finish(data)
            else:
                await self._exchange.write(data)


async def _sent() -> None:
    """Let what was written leave, before more of what came with it is worked on.

    Servers send when the loop comes round: to that this round's sockets are found writable, and
    written to in the next.
    """
    for _ in range(2):
        await asyncio.sleep(0)
