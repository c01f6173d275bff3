"""The requests in hand in this process: told to the poller as they change, ended when asked."""

import asyncio
import time
from typing import Final

import msgspec

from fleetweb.core.streams import Answered, Stage, Stream
from fleetweb.errors import ProviderRefused
from fleetweb.fleet import worker

from .leash import Leash
from .passage import Passage

GROUP: Final = "gateway"
TOLD_AFTER_S: Final = 0.02  # the first news: until then a request has better to do
TOLD_EVERY_S: Final = 0.12  # at most so often, while something changes
TOLD_SOONER_S: Final = 0.04  # at most so often, when a request enters another stage
RESTS: Final = 6.0  # times as long as telling took: tokens come before what is told of them
AT_ONCE: Final = 10  # requests that are looked at; then whoever waits for the loop has a turn
TOLD_ANYWAY_S: Final = 2.0  # the poller forgets a process that says nothing for 6 s
CANCELLED: Final = 499  # what nginx calls a request that was closed before its answer


class Cancelled(ProviderRefused):
    """Somebody ended the request from the control room."""


class Desk:
    """Who is here, and how to end them."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.passages: dict[str, Passage] = {}
        self._leashes: dict[str, Leash] = {}
        self._answered: list[Answered] = []
        self._stages: dict[str, Stage] = {}
        self._news = asyncio.Event()
        self._entered = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def enter(self, passage: Passage) -> Leash:
        """A request has come; pulling its leash ends whatever it waits for."""
        self.passages[passage.id] = passage
        leash = self._leashes[passage.id] = Leash()
        self.changed(passage)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        return leash

    def leave(self, passage: Passage) -> None:
        self.passages.pop(passage.id, None)
        self._leashes.pop(passage.id, None)
        self._stages.pop(passage.id, None)
        self._answered.append(passage.answered())
        self._news.set()

    def changed(self, passage: Passage) -> None:
        """Something shows that others may want to see; another stage soonest."""
        self._news.set()
        if passage.id in self.passages and passage.stage is not self._stages.get(passage.id):
            self._stages[passage.id] = passage.stage
            self._entered.set()

    def interrupt(self, request_id: str, error: Exception) -> None:
        """End the attempt under way; another may follow."""
        if leash := self._leashes.get(request_id):
            leash.pull(error)

    async def cancel(self, request_id: str) -> None:
        """End a request, in whichever process it is."""
        if not self._cancel_here(request_id):
            message = {"type": "request.cancel", "id": request_id}
            await worker.layer().group_send(GROUP, message)

    async def close(self) -> None:
        tasks = [task for task in (self._telling, self._listening) if task]
        self._telling = self._listening = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cancel_here(self, request_id: str) -> bool:
        """Whether it was here."""
        leash = self._leashes.get(request_id)
        if leash is None:
            return False
        leash.pull(Cancelled("Cancelled from the control room.", status=CANCELLED), for_good=True)
        return True

    async def _tell(self) -> None:
        """Tell the poller what is in hand, until there is nothing left to tell."""
        await asyncio.sleep(TOLD_AFTER_S)
        while True:
            began = time.monotonic()
            self._news.clear()
            self._entered.clear()
            here = await self._streams()
            answered, self._answered = self._answered, []
            await worker.ask(
                {
                    "type": "streams.changed",
                    "process": self.process,
                    "streams": msgspec.to_builtins(here),
                    "answered": msgspec.to_builtins(answered),
                }
            )
            if not self.passages and not self._answered:
                return
            await asyncio.sleep(max(TOLD_SOONER_S, RESTS * (time.monotonic() - began)))
            await _until(self._entered, TOLD_EVERY_S - TOLD_SOONER_S)
            await _until(self._news, TOLD_ANYWAY_S)

    async def _streams(self) -> list[Stream]:
        """How those in hand look; without those that end while others are looked at."""
        seen: list[Stream] = []
        for number, passage in enumerate(tuple(self.passages.values()), start=1):
            seen.append(passage.stream())
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return [stream for stream in seen if stream.id in self.passages]

    async def _listen(self) -> None:
        """Hear what other processes want ended."""
        layer = worker.layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        try:
            while True:
                message = await layer.receive(channel)
                self._cancel_here(message["id"])
        finally:
            await layer.group_discard(GROUP, channel)


async def _until(news: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await news.wait()
    except TimeoutError:
        return
