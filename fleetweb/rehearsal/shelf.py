"""What lies on each node's disk, or could: the catalogue that makes /state heavy, encoded once."""

import json
from typing import Any

from .catalogue import Card

Json = dict[str, Any]


def shard_of(
    card: Card, start: int = 0, end: int | None = None, rank: int = 0, world: int = 1
) -> Json:
    """A `PipelineShardMetadata`; layers are half-open."""
    return {
        "PipelineShardMetadata": {
            "modelCard": card.document,
            "deviceRank": rank,
            "worldSize": world,
            "immediateException": False,
            "shouldTimeout": None,
            "startLayer": start,
            "endLayer": card.layers if end is None else end,
            "nLayers": card.layers,
        }
    }


def _entry(kind: str, node_id: str, card: Card, **rest: object) -> Json:
    return {
        kind: {
            "nodeId": node_id,
            "shardMetadata": shard_of(card),
            "modelDirectory": card.directory,
            **rest,
        }
    }


def pending(node_id: str, card: Card) -> Json:
    """A model nobody has asked for: exo knows its total only once it has looked."""
    return _entry("DownloadPending", node_id, card, downloaded={"inBytes": 0}, total={"inBytes": 0})


def ongoing(node_id: str, card: Card, progress: Json) -> Json:
    return _entry("DownloadOngoing", node_id, card, downloadProgress=progress)


def completed(node_id: str, card: Card) -> Json:
    total = {"inBytes": card.storage_bytes}
    return _entry("DownloadCompleted", node_id, card, total=total, readOnly=False)


def failed(node_id: str, card: Card, message: str) -> Json:
    return _entry("DownloadFailed", node_id, card, errorMessage=message)


class Shelf:
    """The `downloads` of /state: one entry per node and model, each encoded when it changes."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Json]] = {}
        self._encoded: dict[str, dict[str, bytes]] = {}
        self._joined: dict[str, bytes] = {}

    def put(self, node_id: str, card: Card, entry: Json) -> None:
        encoded = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
        self._entries.setdefault(node_id, {})[card.id] = entry
        self._encoded.setdefault(node_id, {})[card.id] = encoded
        self._joined.pop(node_id, None)

    def has(self, node_id: str, model_id: str) -> bool:
        return "DownloadCompleted" in self._entries.get(node_id, {}).get(model_id, {})

    def is_fetching(self, node_id: str, model_id: str) -> bool:
        return "DownloadOngoing" in self._entries.get(node_id, {}).get(model_id, {})

    def forget(self, node_id: str) -> None:
        for by_node in (self._entries, self._encoded, self._joined):
            by_node.pop(node_id, None)

    def documents(self) -> dict[str, list[Json]]:
        return {node_id: list(entries.values()) for node_id, entries in self._entries.items()}

    def render(self) -> bytes:
        return b"{" + b",".join(self._node(node_id) for node_id in self._entries) + b"}"

    def _node(self, node_id: str) -> bytes:
        if node_id not in self._joined:
            entries = b",".join(self._encoded[node_id].values())
            self._joined[node_id] = f'"{node_id}":['.encode() + entries + b"]"
        return self._joined[node_id]
