"""Taking turns before a cluster: so many requests in hand, the others wait in line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.utils import timezone

from fleetweb.core.admission import Admission, Admitted, Queued, Refused
from fleetweb.errors import ProviderUnavailable

from .leash import Leash
from .passage import Passage


class Turns:
    """The queue before each cluster, in this process."""

    def __init__(self) -> None:
        self._admissions: dict[str, Admission] = {}
        self._waiting: dict[str, tuple[Passage, asyncio.Event]] = {}

    @property
    def waiting(self) -> dict[str, int]:
        """How many wait, by cluster."""
        return {cluster: len(a.waiting) for cluster, a in self._admissions.items()}

    @asynccontextmanager
    async def take(self, cluster: str, passage: Passage, leash: Leash) -> AsyncIterator[None]:
        """Wait for a turn at `cluster`, and hold it. Raises ProviderUnavailable if it is full."""
        await self._enter(cluster, passage, leash)
        began_s = passage.elapsed_s
        finished_in_s: float | None = None
        try:
            passage.admitted()
            yield
            finished_in_s = passage.elapsed_s - began_s
        finally:
            self._leave(cluster, passage, finished_in_s)

    async def _enter(self, cluster: str, passage: Passage, leash: Leash) -> None:
        admission, place = self._admissions.get(cluster, Admission()).ask(passage.id)
        self._admissions[cluster] = admission
        if isinstance(place, Refused):
            raise ProviderUnavailable(
                f"{len(admission.in_hand)} requests are in hand and {len(admission.waiting)} wait. "
                f"Try again in {place.retry_after_s} s.",
                status=429,
                retry_after_s=place.retry_after_s,
            )
        if isinstance(place, Queued):
            await self._wait(cluster, passage, place, leash)

    async def _wait(self, cluster: str, passage: Passage, place: Queued, leash: Leash) -> None:
        turn = asyncio.Event()
        self._waiting[passage.id] = (passage, turn)
        passage.queued(place.position, place.expected_wait_s)
        try:
            with leash:
                await turn.wait()
        except BaseException:
            self._leave(cluster, passage, None)
            raise
        finally:
            self._waiting.pop(passage.id, None)

    def _leave(self, cluster: str, passage: Passage, took_s: float | None) -> None:
        before = self._admissions[cluster]
        after = before.finish(passage.id, timezone.now(), took_s)
        self._admissions[cluster] = after
        for request_id, (waiting, turn) in list(self._waiting.items()):
            place = after.place(request_id)
            if isinstance(place, Admitted):
                turn.set()
            elif isinstance(place, Queued):
                waiting.queued(place.position, place.expected_wait_s)
