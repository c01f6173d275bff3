"""exo's endpoints for instances and downloads: what goes where, and what comes to disk.

Download answers are camelCase, all others snake_case. Source: exo, src/exo/api/types/api.py.
"""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

from . import shelf
from .catalogue import CATALOGUE, Card
from .chatting import KEEP_ALIVE, KEEP_ALIVE_S, STREAM_HEAD
from .placement import Instance, Shard, place, preview
from .state import encode
from .validation import UnreadableError, check_placing, missing, problem
from .world import Call

Json = dict[str, Any]

LOOKS_UP_S = 1.0  # how long exo asks the internet about a model nobody knows
AWAIT_POLL_S = 0.1


async def place_instance(call: Call) -> None:
    """Always "Command received."; whether anything appears is another matter."""
    body = call.body()
    check_placing(body)
    card = CATALOGUE.get(body["model_id"])
    if card is None:
        await call.world.clock.sleep(LOOKS_UP_S)
        await call.server_error()
        return
    cluster = call.world.cluster
    min_nodes = int(body.get("min_nodes") or 1)
    sharding, meta = body.get("sharding", "Pipeline"), body.get("instance_meta", "MlxRing")
    plan = partial(cluster.plan, card, min_nodes, sharding, meta)
    cluster.stage.crew.start(cluster.create_soon(plan))
    await call.received(model_card=card.document)


async def create_instance(call: Call) -> None:
    """An instance exactly as a preview described it."""
    body = call.body()
    if problems := missing(body, "instance"):
        raise UnreadableError(problems)
    instance = _instance_from(body["instance"])
    call.world.cluster.stage.crew.start(call.world.cluster.create_soon(lambda: instance))
    await call.received(model_card=instance.card.document)


def _instance_from(document: Any) -> Instance:
    """The instance that a document in exo's form describes. Raises UnreadableError."""
    try:
        ((tag, inner),) = document.items()
        assigned = inner["shardAssignments"]
        card = CATALOGUE[assigned["modelId"]]
        ((kind, _),) = next(iter(assigned["runnerToShard"].values())).items()
        shards = tuple(_shards(assigned, inner["hostsByNode"]))
        sharding = kind.removesuffix("ShardMetadata")
        meta = tag.removesuffix("Instance")
        return Instance(inner["instanceId"], card, shards, inner["ephemeralPort"], sharding, meta)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        msg = "Input should be a valid dictionary or object to extract fields from"
        said = problem("model_attributes_type", ["instance"], msg, document)
        raise UnreadableError([said]) from error


def _shards(assigned: Json, hosts: Json) -> list[Shard]:
    shards = []
    for rank, (node_id, runner_id) in enumerate(assigned["nodeToRunner"].items()):
        ((_, part),) = assigned["runnerToShard"][runner_id].items()
        own = [own["ip"] for ring in hosts.values() for own in ring[rank : rank + 1]]
        ip = next((address for address in own if address != "0.0.0.0"), "127.0.0.1")  # noqa: S104
        shards.append(Shard(node_id, runner_id, rank, part["startLayer"], part["endLayer"], ip))
    return shards


async def get_instance(call: Call, instance_id: str) -> None:
    engine = call.world.cluster.engines.get(instance_id)
    if engine is None:
        await call.refuse(HTTPStatus.NOT_FOUND, "Instance not found")
        return
    await call.reply(engine.instance.document())


async def delete_instance(call: Call, instance_id: str) -> None:
    if instance_id not in call.world.cluster.engines:
        await call.refuse(HTTPStatus.NOT_FOUND, "Instance not found")
        return
    call.world.cluster.delete(instance_id)
    await call.received(instance_id=instance_id)


async def get_placement(call: Call) -> None:
    """Where a model would go."""
    card = CATALOGUE.get(call.query.get("model_id", ""))
    plan = call.world.cluster.plan(card, int(call.number("min_nodes", 1))) if card else None
    if plan is None:
        message = "No cycles found with sufficient memory"
        await call.refuse(HTTPStatus.BAD_REQUEST, message)
        return
    await call.reply(plan.document())


async def get_previews(call: Call) -> None:
    """Every way a model could be placed, by sharding and number of nodes."""
    query = call.query
    card = CATALOGUE.get(query.get("model_id", ""))
    if card is None:
        await call.world.clock.sleep(LOOKS_UP_S)
        message = "Failed to load model card: it is not known here, and could not be looked up"
        await call.refuse(HTTPStatus.BAD_REQUEST, message)
        return
    wanted = [i for i in query.get("node_ids", "").split(",") if i]
    await call.reply({"previews": _previews(call, card, wanted)})


def _previews(call: Call, card: Card, wanted: list[str]) -> list[Json]:
    rooms = [r for r in call.world.cluster.rooms() if not wanted or r.node_id in wanted]
    rooms.sort(key=lambda room: -room.free_bytes)
    rng, found = call.world.cluster.stage.rng, []
    for sharding in ("Pipeline", "Tensor"):
        for count in range(1, len(rooms) + 1):
            chosen = rooms[:count]
            fits = sum(room.free_bytes for room in chosen) >= card.storage_bytes
            if fits and (sharding == "Pipeline" or card.heads % count == 0):
                instance = place(card, chosen, rng, sharding, "MlxRing")
                found.append(preview(card, instance, sharding, "MlxRing"))
        found.append(preview(card, None, sharding, "MlxJaccl"))
    return found


async def await_instance(call: Call) -> None:
    """A stream that ends once the model has an instance, loaded or not."""
    model_id = call.query.get("model_id", "")
    patience_s = call.number("timeout_seconds", 0)
    await call.exchange.begin(200, STREAM_HEAD)
    await call.exchange.send(KEEP_ALIVE)
    said = await _wait_for(call, model_id, patience_s)
    await call.exchange.send(b"data: " + encode(said) + b"\n\n")
    await call.exchange.finish()


async def _wait_for(call: Call, model_id: str, patience_s: float) -> Json:
    clock = call.world.clock
    began_s = spoke_s = clock.elapsed_s
    while not call.exchange.gone.done():
        if engine := call.world.cluster.engine_for(model_id):
            return {"type": "ready", "instance": engine.instance.document()}
        if 0 < patience_s <= clock.elapsed_s - began_s:
            break
        if clock.elapsed_s - spoke_s >= KEEP_ALIVE_S:
            await call.exchange.send(KEEP_ALIVE)
            spoke_s = clock.elapsed_s
        await asyncio.sleep(min(AWAIT_POLL_S, clock.real_s(0.5)))
    return {"type": "timeout", "message": f"No instance found for model {model_id}"}


async def start_download(call: Call) -> None:
    body = call.body()
    node_id = _either(body, "target_node_id", "targetNodeId")
    metadata = _either(body, "shard_metadata", "shardMetadata")
    card = _card_in(metadata)
    if call.world.cluster.machine(node_id) and card:
        call.world.cluster.downloads.start(node_id, card)
    await call.reply({"commandId": call.world.new_id()})


async def cancel_download(call: Call) -> None:
    body = call.body()
    node_id = _either(body, "target_node_id", "targetNodeId")
    card = CATALOGUE.get(_either(body, "model_id", "modelId"))
    if card and call.world.state.shelf.is_fetching(node_id, card.id):
        call.world.cluster.downloads.cancel(node_id, card)
    await call.reply({"commandId": call.world.new_id()})


async def delete_download(call: Call, node_id: str, model_id: str) -> None:
    """The model leaves that node's disk."""
    owner, card = call.world.cluster.machine(node_id), CATALOGUE.get(model_id)
    if owner and card:
        owner.models.discard(card.id)
        call.world.state.shelf.put(node_id, card, shelf.pending(node_id, card))
        call.world.state.applied()
    await call.reply({"commandId": call.world.new_id()})


def _either(body: Json, snake: str, camel: str) -> Any:
    """A field under either of the names that versions of exo use. Raises UnreadableError."""
    if snake not in body and camel not in body:
        raise UnreadableError(missing(body, snake))
    return body.get(snake, body.get(camel))


def _card_in(metadata: Any) -> Card | None:
    try:
        ((_, part),) = metadata.items()
        return CATALOGUE.get(part["modelCard"]["modelId"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = "Input should be a valid dictionary or object to extract fields from"
        said = problem("model_attributes_type", ["shard_metadata"], msg, metadata)
        raise UnreadableError([said]) from error
