"""One answer as it comes: its text, told to whoever follows, written so that little can be lost."""

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone

from fleetweb.core.chat import Chunk
from fleetweb.core.presence import FleetPresence
from fleetweb.fleet import live, worker
from fleetweb.fleet.once import Once
from fleetweb.gateway.passage import Passage

from . import shelf
from .blocks import Blocks
from .standing import Standing, standing_of
from .telling import group_of, pieces, rendered_blocks, rendered_tail

TOLD_EVERY_S: Final = 0.2  # at most so often, while it moves
TOLD_ANYWAY_S: Final = 1.0  # nobody is left wondering for longer
WRITTEN_EVERY_S: Final = 1.0
UNWRITTEN_AT_MOST: Final = 32_000  # characters; all that was not written is told with each push
BLOCKS_A_MESSAGE: Final = 4
TRIES: Final = 3

# Pages do not wait for what is written here, nor this for them.
_aside = partial(database_sync_to_async, thread_sensitive=False)
once = Once(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class Part:
    """Blocks from `start` on, rendered as far as they have been before, and the tail."""

    start: int
    html: list[str]
    sources: list[str]
    tail: str
    markdown: bool

    def rendered(self) -> tuple[list[str], str]:
        """The HTML of `sources` and of the tail. Takes a while: not for the event loop."""
        return rendered_blocks(self.sources, self.markdown), rendered_tail(self.tail, self.markdown)


class Column:
    """A text of the answer (its thinking, or what it says) with its blocks and their HTML."""

    def __init__(self, *, markdown: bool) -> None:
        self.markdown = markdown
        self.blocks = Blocks(markdown=markdown)
        self.html: list[str] = []  # of the finished blocks, as far as they are rendered
        self.told = 0  # blocks that everybody has been told
        self.written = 0  # blocks that are in the database
        self.unwritten = 0  # characters that are not
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        self._parts = ["".join(self._parts)]
        return self._parts[0]

    def feed(self, text: str) -> None:
        clean = text.replace("\0", "\ufffd")  # which no text of PostgreSQL's may hold
        self._parts.append(clean)
        self.unwritten += len(clean)
        self.blocks.feed(clean)

    def take(self) -> "Part":
        """What is to be told next, from the first block that is not written on: whoever reads
        storage in between misses none.
        """
        finished = self.blocks.finished
        start = min(self.written, self.told)
        end = min(len(finished), self.told + BLOCKS_A_MESSAGE)
        self.told = end
        tail = self.blocks.tail if end == len(finished) else ""
        return Part(start, self.html[start:], finished[len(self.html) : end], tail, self.markdown)

    @property
    def is_told(self) -> bool:
        return self.told == len(self.blocks.finished)


class Journal:
    """Of one answer. `interrupted` says that its process stops before it is over."""

    def __init__(self, run_id: str, answer_id: int, passage: Passage) -> None:
        self.run_id, self.answer_id, self.passage = run_id, answer_id, passage
        self.thinking, self.says = Column(markdown=False), Column(markdown=True)
        self.is_forgotten = False
        self._moved = asyncio.Event()
        self._over = asyncio.Event()
        self._written_at = 0.0

    def heard(self, chunk: Chunk) -> None:
        self.thinking.feed(chunk.reasoning)
        self.says.feed(chunk.content)
        self._moved.set()

    async def keep(self) -> None:
        """Tell and write, until `finish`. Not to be cancelled: what a thread writes late would
        stand over how it ended.
        """
        while not (self.is_forgotten or self._over.is_set()):
            self._moved.clear()
            began = time.monotonic()
            standing = standing_of(self.passage, await _presence())
            if standing.ended_at is None:  # its end is told when it is written
                await self._tell(standing)
            # What takes long to draw is drawn less often.
            await _until(self._over, max(TOLD_EVERY_S, 2 * (time.monotonic() - began)))
            await _until(self._moved, TOLD_ANYWAY_S - TOLD_EVERY_S)

    def finish(self) -> None:
        """Nothing more will come."""
        self._over.set()
        self._moved.set()

    async def conclude(self, standing: Standing) -> None:
        """Write and tell how it ended."""
        for _ in range(TRIES):
            if await self._write(standing):
                break
        if not self.is_forgotten:
            await self._tell(standing)

    async def _tell(self, standing: Standing) -> None:
        """Everything new, in messages of bounded size."""
        shown = pieces(self.answer_id, standing, timezone.localtime())
        while True:
            if self._is_due():
                await self._write(standing)
            message = {
                "type": "answer.moved",
                "answer": self.answer_id,
                "request": self.passage.id,
                "thinking": await _told(self.thinking),
                "says": await _told(self.says),
                "pieces": shown,
                "over": standing.ended_at is not None,
            }
            await self._push(message)
            if self.thinking.is_told and self.says.is_told:
                return

    async def _push(self, message: dict[str, Any]) -> None:
        """A layer that breaks down costs its listeners what is told meanwhile, and no answer."""
        try:
            await worker.layer().group_send(group_of(self.run_id), message)
        except Exception as error:  # the layer's own kinds differ from one to the other
            once.warn("layer", f"An answer of the playground is not told: {error!r}")
        else:
            once.well("layer", "Answers of the playground are told again.")

    def _is_due(self) -> bool:
        unwritten = self.thinking.unwritten + self.says.unwritten
        is_late = time.monotonic() - self._written_at >= WRITTEN_EVERY_S
        return is_late or unwritten >= UNWRITTEN_AT_MOST

    async def _write(self, standing: Standing) -> bool:
        """Whether it is written; a database that fails for a while costs the listeners nothing."""
        columns = (self.thinking, self.says)
        reached = [(len(column.blocks.finished), column.unwritten) for column in columns]
        texts = {"thinking": self.thinking.text, "text": self.says.text}
        try:
            found = await _aside(shelf.write)(self.answer_id, self.passage.id, standing, **texts)
        except DatabaseError as error:
            once.warn("database", f"An answer of the playground is not written: {error}")
            return False
        once.well("database", "Answers of the playground are written again.")
        self._written_at = time.monotonic()
        self.is_forgotten = not found
        for column, (blocks, characters) in zip(columns, reached, strict=True):
            column.written, column.unwritten = blocks, column.unwritten - characters
        return True


async def _presence() -> FleetPresence | None:
    """None while the cache breaks down: the answer goes on, and is written."""
    try:
        presence = await live.current()
    except Exception as error:  # the kinds of Redis
        once.warn("cache", f"An answer of the playground does not see its machines: {error!r}")
        return None
    once.well("cache", "Answers of the playground see their machines again.")
    return presence


async def _told(column: Column) -> dict[str, Any]:
    part = column.take()
    html, tail = await asyncio.to_thread(part.rendered)
    column.html += html
    return {"from": part.start, "blocks": [*part.html, *html], "tail": tail}


async def _until(moved: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await moved.wait()
    except TimeoutError:
        return
