"""Models on their way to a disk, with progress about every second as exo reports it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from . import shelf
from .catalogue import CATALOGUE, Card
from .pace import WIRE_BYTES_PER_S
from .stage import Stage

Json = dict[str, Any]

BEAT_S = 1.0
SHARD_BYTES = 5_000_000_000  # weights come in files of about this size
SMALL_FILES = {"config.json": 1_204, "tokenizer.json": 9_085_657, "tokenizer_config.json": 54_558}
ABSURD_ETA_MS = 9_223_372_036_854  # what exo estimates before the first byte


class Downloads:
    """Every download under way, by node and model."""

    def __init__(
        self,
        stage: Stage,
        on_disk: Callable[[str, Card], None],
        is_well: Callable[[str], bool],
    ) -> None:
        self._stage, self._on_disk, self._is_well = stage, on_disk, is_well
        self._underway: dict[tuple[str, str], asyncio.Task[None]] = {}

    def start(self, node_id: str, card: Card) -> asyncio.Task[None]:
        """Begin, or join the download that is under way."""
        key = (node_id, card.id)
        if key not in self._underway:
            self._underway[key] = self._stage.crew.start(self._download(node_id, card))
        return self._underway[key]

    async def fetch(self, card: Card, node_ids: Sequence[str]) -> None:
        """Wait until every node has the model; one that fails is waited for in vain, as in exo."""
        missing = [i for i in node_ids if not self._stage.state.shelf.has(i, card.id)]
        waits = [asyncio.shield(self.start(node_id, card)) for node_id in missing]
        await asyncio.gather(*waits, return_exceptions=True)
        if not all(self._stage.state.shelf.has(node_id, card.id) for node_id in node_ids):
            await asyncio.Event().wait()

    def cancel(self, node_id: str, card: Card) -> None:
        self._stop(node_id, card)
        self._put(node_id, card, shelf.pending(node_id, card))

    def fail(self, node_id: str, card: Card, message: str) -> None:
        self._stop(node_id, card)
        self._put(node_id, card, shelf.failed(node_id, card, message))

    def forget(self, node_id: str | None = None) -> None:
        """A node is gone, or (None) all are."""
        for key in [k for k in self._underway if node_id in (None, k[0])]:
            self._underway.pop(key).cancel()

    def underway(self) -> tuple[tuple[str, Card], ...]:
        """The node ids and models of what is being downloaded."""
        return tuple((node_id, CATALOGUE[model_id]) for node_id, model_id in self._underway)

    def _stop(self, node_id: str, card: Card) -> None:
        if task := self._underway.pop((node_id, card.id), None):
            task.cancel()

    def _put(self, node_id: str, card: Card, entry: Json) -> None:
        self._stage.state.shelf.put(node_id, card, entry)
        self._stage.state.applied()

    async def _download(self, node_id: str, card: Card) -> None:
        done, began_s = 0, self._stage.clock.elapsed_s
        while done < card.storage_bytes:
            took_s = self._stage.clock.elapsed_s - began_s
            self._put(node_id, card, shelf.ongoing(node_id, card, progress(card, done, took_s)))
            await self._stage.clock.sleep(BEAT_S)
            if self._is_well(node_id):
                done += int(WIRE_BYTES_PER_S * self._stage.rng.uniform(0.8, 1.1) * BEAT_S)
        self._underway.pop((node_id, card.id), None)
        self._put(node_id, card, shelf.completed(node_id, card))
        self._on_disk(node_id, card)


def progress(card: Card, done: int, took_s: float) -> Json:
    """The `downloadProgress` of a model `done` bytes of which are there."""
    files: dict[str, Json] = {}
    left = done
    for name, size in _files(card).items():
        files[name] = _part(size, min(size, left), took_s, {})
        left -= min(size, left)
    return _part(sum(_files(card).values()), done, took_s, files)


def _files(card: Card) -> dict[str, int]:
    count = -(-card.storage_bytes // SHARD_BYTES)
    weights = {
        f"model-{n:05}-of-{count:05}.safetensors": card.storage_bytes // count
        for n in range(1, count + 1)
    }
    return SMALL_FILES | weights


def _part(total: int, done: int, took_s: float, files: dict[str, Json]) -> Json:
    speed = done / took_s if took_s > 0 else 0.0
    eta_ms = int((total - done) / speed * 1000) if speed else ABSURD_ETA_MS
    return {
        "total": {"inBytes": total},
        "downloaded": {"inBytes": done},
        "downloadedThisSession": {"inBytes": done},
        "completedFiles": _complete(files) if files else int(done >= total),
        "totalFiles": len(files) or 1,
        "speed": speed,
        "etaMs": eta_ms,
        "files": files,
    }


def _complete(files: dict[str, Json]) -> int:
    return sum(file["completedFiles"] for file in files.values())
