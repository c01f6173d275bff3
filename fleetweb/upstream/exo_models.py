"""exo's catalogue of models, and where exo could place one: `/models` and `/instance/previews`."""

from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import ClusterReplyInvalid
from .exo_decode import looks_like
from .exo_salvage import LOST, UNREADABLE, Flaws, salvage
from .exo_wire import CardHolder, InstanceFields

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model that exo could run. `storage_bytes` is exo's figure, rounded to whole MiB."""

    id: str
    name: str
    storage_bytes: int | None = None
    context_length: int | None = None
    family: str | None = None
    quantization: str | None = None
    capabilities: tuple[str, ...] = ()
    reasoning_dialect: str | None = None
    base_model: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """One way in which exo could place a model now. `possible` is false where it cannot."""

    sharding: str  # "Pipeline", "Tensor"
    instance_meta: str  # "MlxRing", "MlxJaccl"
    possible: bool
    node_ids: tuple[str, ...] = ()
    memory_bytes_by_node: tuple[tuple[str, int], ...] = ()


class _Model(msgspec.Struct):
    """snake_case, unlike `/state`."""

    id: str
    name: str | None = None
    storage_size_megabytes: int | None = None
    context_length: int | None = None
    family: str | None = None
    quantization: str | None = None
    capabilities: list[str] | None = None
    reasoning_dialect: str | None = None
    base_model: str | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Preview(msgspec.Struct):
    sharding: str
    instance_meta: str
    instance: dict[str, InstanceFields] | None = None
    memory_delta_by_node: dict[str, int] | None = None


class _Previews(msgspec.Struct):
    previews: list[_Preview]


def decode_models(body: bytes, source: str = "exo") -> tuple[ModelCard, ...]:
    """The catalogue. An entry that cannot be read is left out; ClusterReplyInvalid for no list."""
    return tuple(_card(m) for m in _salvaged(body, _Models, source, "its list of models").data)


def _card(model: _Model) -> ModelCard:
    megabytes = model.storage_size_megabytes
    return ModelCard(
        id=model.id,
        name=model.name or model.id.rpartition("/")[2],
        # "megabytes" are MiB: 2421 stands for the 2538706944 bytes of the same card in /state.
        storage_bytes=megabytes * _MEBIBYTE if megabytes and megabytes > 0 else None,
        # 0 is exo's way of saying that the card does not tell.
        context_length=model.context_length or None,
        family=model.family or None,
        quantization=model.quantization or None,
        capabilities=tuple(model.capabilities or ()),
        reasoning_dialect=model.reasoning_dialect or None,
        base_model=model.base_model or None,
    )


def decode_previews(body: bytes, source: str = "exo") -> tuple[Preview, ...]:
    """The ways to place a model, in exo's order; ClusterReplyInvalid where there is no list."""
    found = _salvaged(body, _Previews, source, "its ways to place a model").previews
    return tuple(_preview(preview) for preview in found)


def _preview(preview: _Preview) -> Preview:
    instances = (preview.instance or {}).values()
    return Preview(
        sharding=preview.sharding,
        instance_meta=preview.instance_meta,
        possible=bool(instances),
        node_ids=tuple(n for i in instances for n in i.shard_assignments.node_to_runner),
        memory_bytes_by_node=tuple((preview.memory_delta_by_node or {}).items()),
    )


def shard_metadata(body: bytes, model_id: str) -> msgspec.Raw | None:
    """exo's own description of a model in a node's `downloads`, to be handed back as it is."""
    try:
        entries = msgspec.json.decode(body, type=list[dict[str, _Entry]])
    except UNREADABLE:
        return None
    raws = (fields.shard_metadata for entry in entries for fields in entry.values())
    return next((raw for raw in raws if _describes(raw, model_id)), None)


class _Entry(msgspec.Struct, rename="camel"):
    shard_metadata: msgspec.Raw


def _describes(raw: msgspec.Raw, model_id: str) -> bool:
    union = salvage(raw, dict[str, CardHolder], "downloads.shardMetadata", Flaws())
    return union is not LOST and any(h.model_card.model_id == model_id for h in union.values())


def _salvaged(body: bytes, kind: Any, source: str, expected: str) -> Any:
    found = salvage(body, kind, "", Flaws())
    if found is LOST:
        raise ClusterReplyInvalid(f"{source} {looks_like(body, expected)}")
    return found
