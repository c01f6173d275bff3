"""Channels' layer for several processes, apart from those of other fleets on the same server."""

from typing import Any, Final

from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.connection import parse_url

PREFIX: Final = "fleetweb"


class RedisLayer(RedisPubSubChannelLayer):
    """One for each database of a Redis server: its number is part of every name.

    To Redis, channels are the same in all of its databases, and Channels puts a prefix before the
    names of groups alone: two fleets would hear of each other's requests.
    """

    def __init__(self, url: str) -> None:
        self._prefix = f"{PREFIX}.{_database(url)}."
        super().__init__(hosts=[url], prefix=self._prefix)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self._get_layer().send(self._ours(channel), message)

    async def receive(self, channel: str) -> dict[str, Any]:
        message: dict[str, Any] = await self._get_layer().receive(self._ours(channel))
        return message

    def _ours(self, channel: str) -> str:
        return channel if channel.startswith(self._prefix) else f"{self._prefix}{channel}"


def _database(url: str) -> int:
    number: int = parse_url(url).get("db", 0)  # type: ignore[no-untyped-call]
    return number
