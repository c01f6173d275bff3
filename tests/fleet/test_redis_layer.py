"""The layer between processes: what one says all hear, and nobody of another fleet."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from fleetweb.fleet.redis_layer import RedisLayer

REDIS_URL = os.environ.get("REDIS_URL", "")

pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(not REDIS_URL, reason="needs REDIS_URL of a Redis server"),
]

OURS, THEIRS = {"type": "said", "by": "us"}, {"type": "said", "by": "them"}


@pytest.fixture
def name() -> str:
    """Of a group or a channel; no other run of these tests has it."""
    return uuid.uuid4().hex


def database(number: int) -> RedisLayer:
    return RedisLayer(f"{REDIS_URL.rpartition('/')[0]}/{number}")


@pytest.fixture
async def ours() -> AsyncIterator[RedisLayer]:
    layer = database(14)
    yield layer
    await layer.flush()


@pytest.fixture
async def theirs() -> AsyncIterator[RedisLayer]:
    layer = database(15)
    yield layer
    await layer.flush()


async def test_a_group_is_heard_in_one_database_alone(ours, theirs, name):
    here, there = await ours.new_channel(), await theirs.new_channel()
    await ours.group_add(name, here)
    await theirs.group_add(name, there)
    await ours.group_send(name, OURS)
    await theirs.group_send(name, THEIRS)
    assert await ours.receive(here) == OURS
    assert await theirs.receive(there) == THEIRS


async def test_a_channel_by_name_is_heard_in_one_database_alone(ours, theirs, name):
    listening = asyncio.create_task(theirs.receive(name))
    while not listening.done():  # what is said before somebody listens is lost
        await ours.send(name, OURS)
        await theirs.send(name, THEIRS)
        await asyncio.sleep(0.01)
    assert listening.result() == THEIRS


async def test_what_is_sent_to_one_comes_to_that_one(ours):
    here, beside = await ours.new_channel(), await ours.new_channel()
    await ours.send(beside, THEIRS)
    await ours.send(here, OURS)
    assert await ours.receive(here) == OURS
