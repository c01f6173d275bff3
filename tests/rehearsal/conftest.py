"""A fleet that lives fast, and somebody to ask it."""

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from fleetweb.rehearsal import Rehearsal

from .asking import Caller

SPEED = 60.0


@pytest.fixture
def speed() -> float:
    """How fast the fleet lives; a test for something brief asks for less."""
    return SPEED


@pytest.fixture
async def fleet(speed: float) -> AsyncIterator[Rehearsal]:
    async with Rehearsal(speed=speed) as fleet:
        yield fleet


@pytest.fixture
async def caller(fleet: Rehearsal) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(timeout=15, verify=False) as client:  # plain HTTP, no certificates
        yield Caller(fleet, client)
