"""Django's pages share one thread, and one of them may be slow: presence waits for none of them."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from fleetweb.core.inference import nobody_yet
from fleetweb.fleet import live
from fleetweb.fleet.poller import Poller, wall_clock
from fleetweb.fleet.worker import PollerWorker
from tests.rehearsal.waiting import until

pytestmark = pytest.mark.asyncio
HUNG_S = 30.0


@pytest_asyncio.fixture
async def slow_page() -> AsyncIterator[asyncio.Task[bool]]:
    """It is at work from before the test until after it."""
    begun, done = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return done.wait(HUNG_S)

    page = asyncio.create_task(sync_to_async(work)())
    await until(begun.is_set)
    yield page
    done.set()
    await page


async def test_news_of_streams_is_heard(slow_page, monkeypatch):
    poller = Poller((), ())
    monkeypatch.setattr(PollerWorker, "poller", poller)
    news = {"type": "streams.changed", "process": "p", "streams": [], "answered": []}
    await PollerWorker().dispatch(news)
    assert poller._news.is_set()
    assert not slow_page.done()


@pytest.mark.shared
async def test_presence_is_published(slow_page):
    presence = nobody_yet(wall_clock())
    await live.publish(presence)
    assert await live.current() == presence
    assert not slow_page.done()
