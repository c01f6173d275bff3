"""Connections to the cache in Redis: a few for the whole process.

Django makes a client of the cache for every task that asks for something, with connections of its
own: each request would open one, and each stream keep it for as long as it lasts.
"""

from functools import cache
from typing import Any, Final, Self

from redis import BlockingConnectionPool

AT_MOST: Final = 16
PATIENCE_S: Final = 5.0  # for one that is free; what is asked of the cache takes a millisecond


class SharedPool(BlockingConnectionPool):
    """The one of its address, whoever makes it."""

    @classmethod
    @cache
    def from_url(cls, url: str, **options: Any) -> Self:
        return super().from_url(url, max_connections=AT_MOST, timeout=PATIENCE_S, **options)
