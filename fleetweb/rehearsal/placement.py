"""Where a model goes: which nodes hold it, which layers each, and how exo writes that down."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .catalogue import Card
from .shelf import shard_of

Json = dict[str, Any]


def new_id(rng: random.Random) -> str:
    """An id in exo's form, repeatable from the seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Room:
    """What a node has to offer a model: its free memory, and the address its ring would use."""

    node_id: str
    free_bytes: int
    ip: str


@dataclass(frozen=True, slots=True)
class Shard:
    """One node's part of a model: layers `start` to `end`, exclusive."""

    node_id: str
    runner_id: str
    rank: int
    start: int
    end: int
    ip: str

    @property
    def layers(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Instance:
    """A model placed on one or more nodes."""

    id: str
    card: Card
    shards: tuple[Shard, ...]
    port: int
    sharding: str = "Pipeline"
    meta: str = "MlxRing"

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(shard.node_id for shard in self.shards)

    def bytes_of(self, shard: Shard) -> int:
        """The memory its weights take on the shard's node."""
        if self.sharding == "Tensor":
            return self.card.storage_bytes // len(self.shards)
        return self.card.storage_bytes * shard.layers // self.card.layers

    def metadata(self, shard: Shard) -> Json:
        world = len(self.shards)
        pipeline = shard_of(self.card, shard.start, shard.end, shard.rank, world)
        if self.sharding == "Tensor" and world > 1:
            return {"TensorShardMetadata": pipeline["PipelineShardMetadata"]}
        return pipeline

    def document(self) -> Json:
        """The instance as /state shows it."""
        return {
            f"{self.meta}Instance": {
                "instanceId": self.id,
                "shardAssignments": {
                    "modelId": self.card.id,
                    "runnerToShard": {s.runner_id: self.metadata(s) for s in self.shards},
                    "nodeToRunner": {s.node_id: s.runner_id for s in self.shards},
                },
                "hostsByNode": {s.node_id: self._hosts(s) for s in self.shards},
                "ephemeralPort": self.port,
            }
        }

    def bound(self, shard: Shard) -> Json:
        return {
            "instance": self.document(),
            "boundRunnerId": shard.runner_id,
            "boundNodeId": shard.node_id,
        }

    def _hosts(self, own: Shard) -> list[Json]:
        """The ring as one node sees it: itself everywhere, the others at their addresses."""
        return [
            {"ip": "0.0.0.0" if s is own else s.ip, "port": self.port}  # noqa: S104
            for s in self.shards
        ]


def choose(card: Card, rooms: Sequence[Room], min_nodes: int = 1) -> tuple[Room, ...]:
    """The fewest nodes with room enough, most free first; none where it cannot be placed."""
    free_first = sorted(rooms, key=lambda room: -room.free_bytes)
    for count in range(max(1, min_nodes), len(free_first) + 1):
        chosen = tuple(free_first[:count])
        if sum(room.free_bytes for room in chosen) >= card.storage_bytes:
            return chosen
    return ()


def place(
    card: Card, rooms: Sequence[Room], rng: random.Random, sharding: str, meta: str
) -> Instance:
    """An instance on these nodes, layers dealt in proportion to free memory."""
    whole = sharding == "Tensor"
    bounds = [(0, card.layers)] * len(rooms) if whole else _split(card.layers, rooms)
    shards = tuple(
        Shard(room.node_id, new_id(rng), rank, start, end, room.ip)
        for rank, (room, (start, end)) in enumerate(zip(rooms, bounds, strict=True))
    )
    return Instance(new_id(rng), card, shards, rng.randint(49152, 65535), sharding, meta)


def _split(layers: int, rooms: Sequence[Room]) -> list[tuple[int, int]]:
    total = sum(room.free_bytes for room in rooms) or 1
    bounds, start, weight = [], 0, 0
    for left, room in zip(range(len(rooms) - 1, -1, -1), rooms, strict=True):
        weight += room.free_bytes
        end = min(max(start + 1, round(layers * weight / total)), layers - left)
        bounds.append((start, end))
        start = end
    return bounds


def preview(card: Card, instance: Instance | None, sharding: str, meta: str) -> Json:
    """One entry of `GET /instance/previews`."""
    error = f"No cycle where every node supports a backend in ['MlxMetal'] for {card.id}"
    return {
        "model_id": card.id,
        "sharding": sharding,
        "instance_meta": meta,
        "instance": instance.document() if instance else None,
        "memory_delta_by_node": _deltas(instance) if instance else None,
        "error": None if instance else error,
    }


def _deltas(instance: Instance) -> dict[str, int]:
    return {shard.node_id: instance.bytes_of(shard) for shard in instance.shards}
