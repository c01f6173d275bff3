"""The socket of a run's page: the whole run on connect, then what its answers grow by."""

import asyncio
import json
import time
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from fleetweb.fleet import live
from fleetweb.gateway.running import gateway

from ..audience import audience
from ..consumers import BEAT_S, SERVER_STOPS
from . import shelf
from .run_card import RunCard, run_card
from .telling import filled, group_of, growth, in_messages, replaced

NOT_HERE: Final = 4404
# An answer that nobody has told of for so long is looked up: its process may be gone.
UNHEARD_S: Final = 3.0
GONE: Final = '<p class="nothing" role="status">This run has been deleted.</p>'
TEXTS: Final = ("thinking", "says")

# Not the one thread that all of Django's own calls share: a large run takes a while to draw.
_aside = partial(database_sync_to_async, thread_sensitive=False)


class RunConsumer(AsyncWebsocketConsumer):
    """`/ws/playground/<run>/?have=<version>`. It only speaks.

    `have` is the version that the page was drawn with: while that is what is stored, nothing has
    to be sent again.
    """

    here: ClassVar[set["RunConsumer"]] = set()

    async def connect(self) -> None:
        self.run_id: str = self.scope["url_route"]["kwargs"]["run_id"]
        self.shown: dict[tuple[int, str], int] = {}
        self.requests: dict[int, str] = {}
        self.pieces: dict[str, str] = {}
        self.open: set[int] = set()
        self.heard_at = time.monotonic()
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        self.version = query.get("have", [""])[0]
        gateway()  # it finds out which processes are gone
        # The group first: what is told in between comes twice rather than never.
        await self.channel_layer.group_add(group_of(self.run_id), self.channel_name)
        card = await self._read()
        if card is None:
            await self.close(NOT_HERE)
            return
        await self.accept()
        self.here.add(self)
        await self._show(card)
        self.beating = asyncio.create_task(self._beat())
        await audience.join(self)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        self.here.discard(self)
        if beating := getattr(self, "beating", None):
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        await self.channel_layer.group_discard(group_of(self.run_id), self.channel_name)
        await audience.leave(self)

    async def answer_moved(self, event: dict[str, Any]) -> None:
        """An answer has grown. Where the page lacks what came before, it gets the whole."""
        answer = event["answer"]
        self.heard_at = time.monotonic()
        if self.requests.get(answer) != event["request"]:
            await self.run_changed(event)
            return
        parts = [replaced(root, html) for root, html in self._new(event["pieces"]).items()]
        for name in TEXTS:
            grown = growth(answer, name, event[name], self.shown[answer, name])
            if grown is None:
                await self.run_changed(event)
                return
            parts += grown[0]
            self.shown[answer, name] = grown[1]
        if event["over"]:
            self.open.discard(answer)
        await self._send_parts(parts)

    async def run_changed(self, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Turns have come or gone."""
        card = await self._read()
        if card is None:
            await self._send_parts([filled("turns", GONE)])
            await self.close(NOT_HERE)
        else:
            self.version = ""  # the page may have been told more than is stored yet
            await self._show(card)

    async def _read(self) -> RunCard | None:
        card: RunCard | None = await _aside(_card)(self.scope["user"], self.run_id)
        return card

    async def _show(self, card: RunCard) -> None:
        """The whole, unless the page has it."""
        self.heard_at = time.monotonic()
        self.requests = {answer.id: answer.request_id for answer in card.answers}
        self.open = {answer.id for answer in card.answers if not answer.over}
        self.shown = {
            (answer.id, name): len(text.blocks)
            for answer in card.answers
            for name, text in zip(TEXTS, (answer.thinking, answer.says), strict=True)
        }
        self.pieces = {}
        if self.version != card.version:
            self.version = card.version
            await self._send_parts(await asyncio.to_thread(lambda: list(card.messages())))

    def _new(self, told: dict[str, str]) -> dict[str, str]:
        """What is not as it was sent last."""
        new = {root: html for root, html in told.items() if self.pieces.get(root) != html}
        self.pieces.update(new)
        return new

    async def _send_parts(self, parts: list[str]) -> None:
        for message in in_messages(parts):
            await self.send(text_data=message)

    async def _beat(self) -> None:
        """Tells the page every second that the line is alive, and looks after what is unheard."""
        number = 0
        while True:
            number += 1
            presence = await live.current()
            watched_at = presence.at.isoformat() if presence else None
            beat = {"beat": number, "at": timezone.now().isoformat(), "watched_at": watched_at}
            await self.send(text_data=json.dumps(beat))
            await audience.confirm()
            if self.open and time.monotonic() - self.heard_at > UNHEARD_S:
                await self.run_changed({})
            await asyncio.sleep(BEAT_S)

    @classmethod
    async def close_all(cls) -> None:
        """Close every socket of this process, with a code that tells its page to come back."""
        sockets = list(cls.here)
        await asyncio.gather(*(s.close(SERVER_STOPS) for s in sockets), return_exceptions=True)


def _card(user: Any, run_id: str) -> RunCard | None:
    run = shelf.own_run(user, run_id)
    return run_card(run, timezone.localtime()) if run else None
