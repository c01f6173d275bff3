"""The socket of the control room: the whole room on connect, then what changes."""

import asyncio
import json
import logging
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, Final

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from fleetweb.fleet import live

from .access.owner import is_owner
from .access.sockets import STRANGER, user_of_scope
from .audience import audience
from .broadcast import broadcast
from .gallery import gallery_of

BEAT_S: Final = 1.0
# So many pushes wait for a browser that reads slowly; whoever missed one gets the whole room.
UNREAD: Final = 8
# How soon a socket knows that its session has ended: logged out elsewhere, expired, revoked.
BEATS_TO_A_CHECK: Final = 10
# 1000 would tell the page never to come back.
SERVER_STOPS: Final = 4012

logger = logging.getLogger(__name__)


class PresenceConsumer(AsyncWebsocketConsumer):
    """`/ws/presence/`. It only speaks; what a browser says is not listened to."""

    here: ClassVar[set["PresenceConsumer"]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.speaking: asyncio.Task[None] | None = None
        self.gallery = gallery_of(owner=is_owner(scope["user"]))
        try:
            await super().__call__(scope, receive, send)
        finally:  # however it ended
            await self._leave()

    async def connect(self) -> None:
        self.owner = is_owner(self.scope["user"])
        self.pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue(UNREAD)
        self.sequence = 0
        self.watched_at: str | None = None
        # The gallery first: what is published in between comes twice rather than never.
        await self.gallery.join(self)
        await self.accept()
        self.here.add(self)
        await self._send_whole()
        self.speaking = asyncio.create_task(self._speak())
        await audience.join(self)

    def told(self, push: dict[str, Any]) -> None:
        """Something was pushed. It is dropped where too much is unread: its number will tell."""
        with suppress(asyncio.QueueFull):
            self.pushes.put_nowait(push)

    async def _leave(self) -> None:
        self.here.discard(self)
        if self.speaking:
            self.speaking.cancel()
            await asyncio.gather(self.speaking, return_exceptions=True)
        await self.gallery.leave(self)
        await audience.leave(self)

    async def _speak(self) -> None:
        """What is pushed, and the beat. Where that fails, the page comes back and starts over."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._push())
                both.create_task(self._beat())
        except* Exception as failed:
            logger.warning("A socket of the control room failed: %r", failed.exceptions[0])
            await self.close(SERVER_STOPS)

    async def _push(self) -> None:
        while True:
            await self._show(await self.pushes.get())

    async def _show(self, push: dict[str, Any]) -> None:
        """What changed since `after`; where that is not what was sent last, the whole room."""
        if push["sequence"] <= self.sequence:
            return
        if push["after"] != self.sequence:
            await self._send_whole()
            return
        self.sequence, self.watched_at = push["sequence"], push["at"]
        if push["html"]:
            await self.send(text_data=push["html"])

    async def _send_whole(self) -> None:
        presence = await live.current()
        if presence is None:
            return
        self.sequence, self.watched_at = presence.sequence, presence.at.isoformat()
        await self.send(text_data=broadcast.whole(presence, owner=self.owner))

    async def _beat(self) -> None:
        """Tells the page every second that the line is alive, and how old what it shows is; ends
        when whoever looks has been signed out."""
        number = 0
        while True:
            number += 1
            if number % BEATS_TO_A_CHECK == 0 and await user_of_scope(self.scope) is None:
                await self.close(STRANGER)
                return
            beat = {"beat": number, "at": _now().isoformat(), "watched_at": self.watched_at}
            await self.send(text_data=json.dumps(beat))
            await audience.confirm()
            await asyncio.sleep(BEAT_S)

    @classmethod
    async def close_all(cls) -> None:
        """Close every socket of this process, with a code that tells its page to come back."""
        sockets = list(cls.here)
        await asyncio.gather(*(s.close(SERVER_STOPS) for s in sockets), return_exceptions=True)


def _now() -> datetime:
    return timezone.now()
