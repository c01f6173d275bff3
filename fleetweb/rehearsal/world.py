"""Everything that an answer may depend on, and the plain answers all endpoints share."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from .clock import Clock
from .cluster import Cluster
from .machine import Machine
from .membership import Membership
from .mischief import Mischief
from .placement import new_id
from .state import ClusterState
from .validation import UnreadableError, problem, read_object
from .wire import Exchange


@dataclass(frozen=True, slots=True)
class World:
    """The one cluster behind every node."""

    cluster: Cluster
    membership: Membership
    mischief: Mischief

    @property
    def clock(self) -> Clock:
        return self.cluster.stage.clock

    @property
    def state(self) -> ClusterState:
        return self.cluster.stage.state

    def new_id(self) -> str:
        return new_id(self.cluster.stage.rng)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one node."""

    world: World
    machine: Machine
    exchange: Exchange

    @property
    def query(self) -> dict[str, str]:
        return self.exchange.request.query

    def body(self) -> dict[str, Any]:
        """The body as a JSON object. Raises UnreadableError."""
        request = self.exchange.request
        return read_object(request.body, request.headers.get("content-type", ""))

    def number(self, name: str, default: float) -> float:
        """A number of the query. Raises UnreadableError."""
        try:
            return float(self.query.get(name, default))
        except ValueError as error:
            msg = "Input should be a valid number, unable to parse string as a number"
            said = problem("float_parsing", [], msg, self.query[name]) | {"loc": ["query", name]}
            raise UnreadableError([said]) from error

    async def reply(self, body: object) -> None:
        await self.exchange.reply(200, body)

    async def received(self, **rest: object) -> None:
        """What exo answers to a command, whatever comes of it."""
        said = {"message": "Command received.", "command_id": self.world.new_id()}
        await self.reply(said | rest)

    async def refuse(self, status: HTTPStatus, message: str) -> None:
        """An error in exo's own form."""
        error = {"message": message, "type": status.phrase, "param": None, "code": status.value}
        await self.exchange.reply(status, {"error": error})

    async def server_error(self) -> None:
        await self.exchange.reply(500, b"Internal Server Error", "text/plain; charset=utf-8")
