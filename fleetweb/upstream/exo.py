"""exo's API behind one door: what the cluster is doing, what it could run, and the few commands.

Source: exo 0.3.70. No authentication, every node serves all of it.
"""

import asyncio
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from ..core.snapshot import ClusterSnapshot
from ..errors import ClusterError, ClusterReplyInvalid, ClusterUnreachable
from . import http
from .exo_decode import decode_state, looks_like
from .exo_models import ModelCard, Preview, decode_models, decode_previews, shard_metadata
from .exo_salvage import UNREADABLE

T = TypeVar("T")

__all__ = ["Exo", "ModelCard", "Preview", "decode_state"]

STATE_TIMEOUT_S = 3.0
# An election makes every POST wait for about 3 s.
COMMAND_TIMEOUT_S = 10.0


class _Accepted(msgspec.Struct):
    """exo names a command in snake_case, but in camelCase where downloads are concerned."""

    snake: str | None = msgspec.field(name="command_id", default=None)
    camel: str | None = msgspec.field(name="commandId", default=None)


class Exo:
    """One node's API. Every method raises ClusterUnreachable or ClusterReplyInvalid.

    Commands answer with exo's id of the command, None where it gave none. One that is accepted is
    not yet done: only the state shows whether it was, and a placement that cannot succeed is
    accepted too, and then nothing ever appears.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __str__(self) -> str:
        return f"exo at {http.shown(self.url)}"

    async def state(self, *, now: datetime, timeout_s: float = STATE_TIMEOUT_S) -> ClusterSnapshot:
        """What the cluster is doing, as this node knows it. Costs that node about 100 ms of CPU."""
        body = await self._ask("GET", "/state", timeout_s)
        return decode_state(body, now, str(self))

    async def node_id(self, *, timeout_s: float = STATE_TIMEOUT_S) -> str:
        """The id of the node that answers here; it is new at every start of exo."""
        body = await self._ask("GET", "/node_id", timeout_s)
        return self._read(body, str, "its node id")

    async def models(self, *, timeout_s: float = COMMAND_TIMEOUT_S) -> tuple[ModelCard, ...]:
        """Every model in exo's catalogue, placed or not."""
        return decode_models(await self._ask("GET", "/models", timeout_s), str(self))

    async def previews(
        self, model_id: str, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> tuple[Preview, ...]:
        """The ways in which exo could place a model now, possible or not."""
        query = f"/instance/previews?model_id={quote(model_id, safe='')}"
        return decode_previews(await self._ask("GET", query, timeout_s), str(self))

    async def place(
        self,
        model_id: str,
        *,
        sharding: str = "Pipeline",
        instance_meta: str = "MlxRing",
        min_nodes: int = 1,
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> str | None:
        """Ask for an instance of a model."""
        wanted = {
            "model_id": model_id,
            "sharding": sharding,
            "instance_meta": instance_meta,
            "min_nodes": min_nodes,
        }
        return await self._command("POST", "/place_instance", timeout_s, wanted)

    async def delete_instance(
        self, instance_id: str, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str | None:
        """Unload an instance and end what it has in hand."""
        path = f"/instance/{quote(instance_id, safe='')}"
        return await self._command("DELETE", path, timeout_s)

    async def start_download(
        self, node_id: str, model_id: str, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str | None:
        """Have a node fetch a model.

        exo wants its own description of the model back, which only its state holds. Raises
        ClusterError where that node's catalogue does not have the model.
        """
        path = f"/state/downloads/{quote(node_id, safe='')}"
        shard = shard_metadata(await self._ask("GET", path, timeout_s), model_id)
        if shard is None:
            raise ClusterError(f"{self} has no {model_id} in the catalogue of that machine")
        wanted = {"targetNodeId": node_id, "shardMetadata": shard}
        return await self._command("POST", "/download/start", timeout_s, wanted)

    async def cancel_download(
        self, node_id: str, model_id: str, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str | None:
        """Stop a node's download of a model; what it has stays on its disk."""
        wanted = {"targetNodeId": node_id, "modelId": model_id}
        return await self._command("POST", "/download/cancel", timeout_s, wanted)

    async def _command(
        self, method: str, path: str, timeout_s: float, wanted: Any = None
    ) -> str | None:
        body = await self._ask(method, path, timeout_s, wanted)
        accepted = self._read(body, _Accepted, "its answer to a command")
        return accepted.snake or accepted.camel

    def _read(self, body: bytes, kind: type[T], expected: str) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except UNREADABLE as error:
            raise ClusterReplyInvalid(f"{self} {looks_like(body, expected)}") from error

    async def _ask(self, method: str, path: str, timeout_s: float, wanted: Any = None) -> bytes:
        """One answer in full, within `timeout_s` from first to last byte."""
        content = None if wanted is None else msgspec.json.encode(wanted)
        headers = {} if content is None else {"content-type": "application/json"}
        with http.faults(
            str(self),
            unreachable=ClusterUnreachable,
            invalid=ClusterReplyInvalid,
            within_s=timeout_s,
        ):
            async with (
                asyncio.timeout(timeout_s),
                http.client().stream(
                    method, self.url + path, content=content, headers=headers, timeout=timeout_s
                ) as response,
            ):
                response.raise_for_status()
                return await http.read_limited(response)
