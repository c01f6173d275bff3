"""Presence to every browser: rendered once for all who see the same, pushed where it changed."""

from typing import Any

from django.utils import timezone

from fleetweb.core.presence import FleetPresence
from fleetweb.fleet import worker

from . import fragments
from .cards import room
from .gallery import Gallery, gallery_of


def render(presence: FleetPresence, *, owner: bool) -> fragments.Fragments:
    """The room as its pieces; without anybody's prompts for those who are not the owner."""
    return fragments.render(room(presence, timezone.localtime(), owner=owner))


class Broadcast:
    """Remembers what was pushed last, so that only what changed is pushed next."""

    def __init__(self) -> None:
        self._pushed: dict[bool, fragments.Fragments] = {True: {}, False: {}}
        self._sequence = 0
        self._wholes: dict[bool, tuple[FleetPresence, str]] = {}

    def whole(self, presence: FleetPresence, *, owner: bool) -> str:
        """The whole room as one message. After a restart a hundred browsers ask for it at once."""
        drawn = self._wholes.get(owner)
        if drawn is None or drawn[0] is not presence:
            pieces = render(presence, owner=owner)
            drawn = self._wholes[owner] = presence, fragments.diff({}, pieces)
            self._pushed[owner] = self._pushed[owner] or pieces  # the first to come was shown this
        return drawn[1]

    async def presence_published(
        self,
        presence: FleetPresence,
        watchers: int,
        **_signal: Any,
    ) -> None:
        """Receiver of the signal of the same name. For nobody, nothing is rendered."""
        if not watchers:
            return
        for owner in (True, False):
            gallery, before = gallery_of(owner=owner), self._pushed[owner]
            if gallery.is_deserted:
                before.clear()
                continue
            self._pushed[owner] = render(presence, owner=owner)
            html = fragments.diff(before, self._pushed[owner])
            await self._push(gallery, presence, html)
        self._sequence = presence.sequence

    async def _push(self, gallery: Gallery, presence: FleetPresence, html: str) -> None:
        """Numbered, so that a reader who missed one knows and takes the whole room instead."""
        await worker.layer().group_send(
            gallery.group,
            {
                "after": self._sequence,
                "sequence": presence.sequence,
                "at": presence.at.isoformat(),
                "html": html,
            },
        )


broadcast = Broadcast()
