"""A real Chromium before a real server. Whatever its console complains of fails the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from fleetweb.rehearsal import Rehearsal

from .chromium import ARGUMENTS, executable
from .control_room import ControlRoom
from .visitor import Visitor

OpenRoom = Callable[..., Awaitable[ControlRoom]]
Arrive = Callable[..., Awaitable[Visitor]]


# For a module and not for the session: its loop must be gone before a module that drives
# Chromium by playwright's synchronous interface begins.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS)
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def fleet() -> AsyncIterator[Rehearsal]:
    """Four pretend machines on which nothing happens but what the test lets happen."""
    async with Rehearsal() as rehearsal:
        yield rehearsal


@pytest_asyncio.fixture(loop_scope="module")
async def open_room(tmp_path: Path) -> AsyncIterator[OpenRoom]:
    """Starts a server with the given arguments of `serve`; all are ended afterwards."""
    async with AsyncExitStack() as stack:

        async def start(*arguments: str) -> ControlRoom:
            room = ControlRoom(Path(mkdtemp(dir=tmp_path)), arguments)
            await room.start()
            stack.push_async_callback(room.end)
            return room

        yield start


@pytest_asyncio.fixture(loop_scope="module")
async def arrive(chromium: Browser, open_room: OpenRoom) -> AsyncIterator[Arrive]:
    """Lets somebody arrive, with the given options of a browser context of their own.

    They leave before the servers do: `open_room` is there for this order alone.
    """
    visitors: list[Visitor] = []

    async def somebody(**options: Any) -> Visitor:
        visitors.append(Visitor(await chromium.new_context(**options)))
        return visitors[-1]

    yield somebody
    for visitor in visitors:
        await visitor.context.close()
    assert [complaint for visitor in visitors for complaint in visitor.unexpected] == []


@pytest_asyncio.fixture(loop_scope="module")
async def room(fleet: Rehearsal, open_room: OpenRoom) -> ControlRoom:
    """A control room that watches `fleet` through all its doors."""
    return await open_room(*(argument for url in fleet.urls for argument in ("--exo", url)))
