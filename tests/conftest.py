"""What holds for every test: what is missing is said, and with one variable is a failure."""

import os
from collections.abc import Generator, Iterator

import pytest
from asgiref.sync import SyncToAsync
from channels.layers import ChannelLayerManager
from django.core.cache import CacheHandler, cache
from django.db import connections
from hypothesis import settings

from fleetweb.fleet import settled
from fleetweb.web.cards.history import recent

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REQUIRE_ALL = "FLEETWEB_TEST_REQUIRE_ALL"
TOUCHES_WHAT_IS_SHARED = ("django_db", "shared")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a browser first: it takes longest, and at the end one worker would have it all."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test is one that showed nothing: with the variable set to 1 it fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(REQUIRE_ALL) == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE_ALL} is set, and this did not run. {reason}"
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Django's own, which can't drop the database while a thread of async tests is connected."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture(autouse=True)
def _what_processes_share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache and channel layer, for those marked to use them: empty, wherever it is.

    Others can't get at them, as they can't get at the database: the marks name every test that
    may fail with Redis, and not without it.
    """
    if any(request.node.get_closest_marker(mark) for mark in TOUCHES_WHAT_IS_SHARED):
        cache.clear()
        return
    for handler in (CacheHandler, ChannelLayerManager):
        monkeypatch.setattr(handler, "__getitem__", _unmarked)


@pytest.fixture(autouse=True)
def _everything_is_found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the past tell for seconds what was found: longer than a test waits."""
    monkeypatch.setattr(recent, "SOON_S", 0.0)
    monkeypatch.setattr(recent, "LATER_S", 0.0)
    monkeypatch.setattr(settled, "places", lambda *_: 0)


def _unmarked(_: object, name: str) -> None:
    raise AssertionError("Mark what uses the cache or the channel layer: django_db, or shared.")
