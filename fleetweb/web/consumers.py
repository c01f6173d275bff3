"""The socket of the control room: the whole room on connect, then what changes."""

import asyncio
import json
from datetime import datetime
from typing import Any, ClassVar, Final

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from fleetweb.core.presence import FleetPresence
from fleetweb.fleet import live

from .access.owner import is_owner
from .access.sockets import STRANGER, user_of_scope
from .audience import audience
from .broadcast import broadcast, group_of

BEAT_S: Final = 1.0
# How soon a socket knows that its session has ended: logged out elsewhere, expired, revoked.
BEATS_TO_A_CHECK: Final = 10
# 1000 would tell the page never to come back.
SERVER_STOPS: Final = 4012


class PresenceConsumer(AsyncWebsocketConsumer):
    """`/ws/presence/`. It only speaks; what a browser says is not listened to."""

    here: ClassVar[set["PresenceConsumer"]] = set()

    async def connect(self) -> None:
        self.owner = is_owner(self.scope["user"])
        self.group = group_of(owner=self.owner)
        self.sequence = 0
        self.watched_at: str | None = None
        # The group first: what is published in between comes twice rather than never.
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        self.here.add(self)
        await self._send_whole()
        self.beating = asyncio.create_task(self._beat())
        await audience.join(self)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        self.here.discard(self)
        if beating := getattr(self, "beating", None):
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        await self.channel_layer.group_discard(self.group, self.channel_name)
        await audience.leave(self)

    async def presence_pushed(self, event: dict[str, Any]) -> None:
        """What changed since `after`; where that is not what was sent last, the whole room."""
        if event["sequence"] <= self.sequence:
            return
        if event["after"] != self.sequence:
            await self._send_whole()
            return
        self.sequence, self.watched_at = event["sequence"], event["at"]
        if event["html"]:
            await self.send(text_data=event["html"])

    async def _send_whole(self) -> None:
        presence = await live.current()
        if presence is None:
            return
        self._shown(presence)
        await self.send(text_data=broadcast.whole(presence, owner=self.owner))

    def _shown(self, presence: FleetPresence) -> None:
        self.sequence, self.watched_at = presence.sequence, presence.at.isoformat()

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
