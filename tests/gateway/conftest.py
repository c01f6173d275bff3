from collections.abc import AsyncIterator

import pytest

from fleetweb.rehearsal import MEDIUM, SMALL, Rehearsal
from tests.upstream.providers.dialects import OLLAMA
from tests.upstream.providers.fake import Fake, serving

SPEED = 20.0


@pytest.fixture
async def fleet() -> AsyncIterator[Rehearsal]:
    """Four machines with a small model on soldier1 and a medium one on king."""
    async with Rehearsal(speed=SPEED) as fleet:
        await fleet.place(SMALL, nodes=["soldier1"])
        await fleet.place(MEDIUM, nodes=["king"])
        yield fleet


@pytest.fixture
async def ollama() -> AsyncIterator[Fake]:
    async with serving(Fake(steps=OLLAMA.whole)) as fake:
        yield fake
