"""Ending a wait from outside with an error of one's own."""

import asyncio
from types import TracebackType
from typing import Any


class Leash:
    """Around each wait of one task: `pull` ends the wait under way, or the next one.

    As in `asyncio.timeout`, the task is cancelled and the cancellation turned into the error; a
    cancellation that came from elsewhere stays one.
    """

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._for_good = False
        self._waiting: asyncio.Task[Any] | None = None

    def pull(self, error: Exception, *, for_good: bool = False) -> None:
        """End it with `error`. What is not for good ends one attempt: `renew` allows the next."""
        if self._error is None or (for_good and not self._for_good):
            self._error, self._for_good = error, for_good
            if self._waiting is not None:
                self._waiting.cancel()

    def renew(self) -> None:
        """A new attempt begins."""
        if not self._for_good:
            self._error = None

    def __enter__(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiting = asyncio.current_task()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._waiting = self._waiting, None
        if self._error is not None and task is not None and kind is asyncio.CancelledError:
            task.uncancel()
            raise self._error from raised
