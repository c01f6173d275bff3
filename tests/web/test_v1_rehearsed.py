"""`/v1` before a rehearsed fleet: what becomes of exo's own work."""

import asyncio
from collections.abc import Iterator

import pytest

from fleetweb.rehearsal import LARGE, MEDIUM, SMALL, Rehearsal
from tests.processes import Process, eventually
from tests.scripted_exo import InBackground

from .v1_door import DAPHNE, async_sdk, opened, say, sdk


@pytest.fixture(scope="module")
def fleet() -> Iterator[Rehearsal]:
    with InBackground(Rehearsal(speed=10)) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def door(fleet: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    for model in (SMALL, MEDIUM):
        asyncio.run(fleet.place(model))
    with opened(DAPHNE, fleet.urls[0], tmp_path_factory.mktemp("v1"), model=MEDIUM) as door:
        yield door


def status_of_last_task(fleet: Rehearsal) -> str:
    return fleet.tasks[-1].status


async def test_who_closes_a_stream_cancels_the_task(door, fleet):
    async with async_sdk(door.address()) as client:
        stream = await client.chat.completions.create(
            model=MEDIUM, messages=say("tell me a long story"), stream=True, max_tokens=4000
        )
        await anext(aiter(stream))
        assert status_of_last_task(fleet) in ("Pending", "Running")
        await stream.close()
    await asyncio.to_thread(eventually, lambda: status_of_last_task(fleet) == "Cancelled")


def test_a_model_that_is_not_loaded_is_loaded_while_its_caller_is_told(door, fleet):
    with sdk(door.address()).chat.completions.with_streaming_response.create(
        model=LARGE, messages=say("hello"), stream=True, max_tokens=3
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert any(line.startswith(": loading_progress") for line in lines)
    assert lines[-1] == "data: [DONE]"
