"""Identical requests that are in hand at the same time share one answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from fleetweb.core.chat import Chunk

from .leash import Leash
from .passage import Passage


class Flight:
    """One upstream answer, read in a task of its own for everybody who wants it.

    It ends when the last of them leaves.
    """

    def __init__(self, leader: Passage, source: AsyncGenerator[Chunk, None]) -> None:
        self.leader = leader
        self._chunks: list[Chunk] = []
        self._error: Exception | None = None
        self._is_over = False
        self._moved = asyncio.Event()
        self._followers = 0
        self._reading = asyncio.create_task(self._read(source))

    async def follow(self, leash: Leash) -> AsyncGenerator[Chunk, None]:
        """The answer from its beginning, as it comes."""
        self._followers += 1
        read = 0
        try:
            while True:
                while read < len(self._chunks):
                    read += 1
                    yield self._chunks[read - 1]
                if self._is_over:
                    break
                with leash:
                    await self._moved.wait()
            if self._error is not None:
                raise self._error
        finally:
            self._followers -= 1
            if not self._followers:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def is_over(self) -> bool:
        return self._is_over

    async def _read(self, source: AsyncGenerator[Chunk, None]) -> None:
        try:
            async with aclosing(source):
                async for chunk in source:
                    self._chunks.append(chunk)
                    self._move()
        except Exception as error:  # handed on to everybody who follows
            self._error = error
        finally:
            self._is_over = True
            self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


class Flights:
    """Those in the air in this process, by what they answer."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    async def share(
        self,
        key: str,
        passage: Passage,
        leash: Leash,
        fresh: Callable[[], AsyncGenerator[Chunk, None]],
    ) -> AsyncGenerator[Chunk, None]:
        """The answer under way for `key`, or `fresh()` if there is none."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(passage, fresh())
        try:
            async with aclosing(flight.follow(leash)) as chunks:
                async for chunk in chunks:
                    if flight.leader is not passage:
                        passage.follows(flight.leader)
                    yield chunk
        finally:
            if flight.is_over and self._flights.get(key) is flight:
                del self._flights[key]
