from collections.abc import AsyncIterator

import pytest

from fleetweb.upstream import http


@pytest.fixture(autouse=True)
async def _no_connection_left() -> AsyncIterator[None]:
    yield
    await http.aclose()
