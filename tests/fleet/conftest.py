from collections.abc import AsyncIterator

import pytest

from fleetweb.fleet import cluster_poller
from fleetweb.rehearsal import Rehearsal
from fleetweb.upstream import http

SPEED = 20.0


@pytest.fixture(autouse=True)
async def _no_connection_left() -> AsyncIterator[None]:
    yield
    await http.aclose()


@pytest.fixture
async def fleet() -> AsyncIterator[Rehearsal]:
    async with Rehearsal(speed=SPEED) as fleet:
        yield fleet


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks ten times as often as exo should be asked, where it is not that that is tested."""
    for name in ("LIVELY_S", "CALM_S", "LONGEST_BACKOFF_S"):
        monkeypatch.setattr(cluster_poller, name, getattr(cluster_poller, name) / 10)
