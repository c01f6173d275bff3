"""Which models each cluster could load, and how large they are."""

import time
from typing import Final

from fleetweb.core.presence import ClusterPresence
from fleetweb.errors import ClusterError
from fleetweb.upstream.exo import Exo, ModelCard

from .view import FleetView

# A catalogue is 60 KB and changes when its owner adds a model.
FRESH_FOR_S: Final = 60.0
ASKED_AGAIN_AFTER_S: Final = 5.0
ANSWERS_WITHIN_S: Final = 5.0


class Catalogue:
    """Asked for when somebody wants a model that is not loaded, and kept for a minute."""

    def __init__(self) -> None:
        self._cards: dict[str, tuple[ModelCard, ...]] = {}
        self._until: dict[str, float] = {}

    async def of(self, view: FleetView) -> dict[str, tuple[ModelCard, ...]]:
        """By cluster, the models it could load; what was known last where it does not answer."""
        return {cluster.name: await self._of(cluster) for cluster in view.clusters}

    def sizes(self) -> dict[str, int]:
        """Bytes by model id, of those that are known by now."""
        cards = [card for cards in self._cards.values() for card in cards]
        return {card.id: card.storage_bytes for card in cards if card.storage_bytes}

    async def _of(self, cluster: ClusterPresence) -> tuple[ModelCard, ...]:
        doors = [door.url for door in cluster.doors if door.answers]
        if doors and time.monotonic() >= self._until.get(cluster.name, 0.0):
            await self._refresh(cluster.name, doors[0])
        return self._cards.get(cluster.name, ())

    async def _refresh(self, cluster: str, door: str) -> None:
        fresh_for_s = FRESH_FOR_S
        try:
            self._cards[cluster] = await Exo(door).models(timeout_s=ANSWERS_WITHIN_S)
        except ClusterError:
            fresh_for_s = ASKED_AGAIN_AFTER_S
        self._until[cluster] = time.monotonic() + fresh_for_s
