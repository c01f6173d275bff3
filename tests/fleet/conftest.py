from collections.abc import AsyncIterator

import pytest

from fleetweb.core import watch
from fleetweb.fleet import cluster_poller, lease, poller
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
    """Lives several times as fast as it should, where it is not the pace that is tested."""
    for name in ("LIVELY_S", "CALM_S", "LONGEST_BACKOFF_S"):
        monkeypatch.setattr(cluster_poller, name, getattr(cluster_poller, name) / 10)
    monkeypatch.setattr(poller, "BEAT_S", poller.BEAT_S / 10)
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", lease.RENEWED_EVERY_S / 10)
    monkeypatch.setattr(lease, "VALID_FOR", lease.VALID_FOR / 2)  # slow machines must keep it
    monkeypatch.setattr(watch, "QUIET_AFTER", watch.QUIET_AFTER / 3)
