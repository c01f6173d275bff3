"""How long an answer may keep its reader waiting."""

import asyncio

from ...core.chat import Chunk
from ...errors import ProviderUnavailable
from .base import Patience

EPILOGUE_S = 2.0  # for usage and the end marker, once an answer has finished


class Deadline:
    """When the next sign of the answer is due, on the loop's clock.

    `pulse_s` is how often at least some bytes come, keep-alives too, from a provider that sends
    them; None where nothing is promised.
    """

    def __init__(self, patience: Patience, pulse_s: float | None = None) -> None:
        self._patience = patience
        self._pulse_s = pulse_s
        self._clock = asyncio.get_running_loop().time
        self._begun_at = self._heard_at = self._clock()
        self._due_at = self._begun_at + patience.first_s
        self._output_seen = False

    def heard(self) -> None:
        """Bytes came: the other side lives, which says nothing about the answer."""
        self._heard_at = self._clock()

    def note(self, chunk: Chunk, *, finished: bool) -> None:
        """A sign of the answer came: progress, words, its end."""
        self._output_seen = self._output_seen or chunk.has_output
        patience = self._patience
        wait_s = patience.between_s if self._output_seen else patience.first_s
        self._due_at = self._clock() + (EPILOGUE_S if finished else wait_s)

    @property
    def at(self) -> float:
        total_s = self._patience.total_s
        bounds = [self._due_at]
        if total_s is not None:
            bounds.append(self._begun_at + total_s)
        if self._pulse_s is not None:
            bounds.append(self._heard_at + self._pulse_s)
        return min(bounds)

    def passed(self, whom: str) -> ProviderUnavailable:
        """The error for a sign that did not come in time."""
        if self._pulse_s is not None and self._clock() >= self._heard_at + self._pulse_s:
            silence = f"for {self._pulse_s:g} s, not even a keep-alive"
            return ProviderUnavailable(f"{whom} has sent nothing at all {silence}.")
        if self._output_seen:
            return ProviderUnavailable(f"{whom} fell silent in the middle of its answer.")
        waited_s = self._clock() - self._begun_at
        return ProviderUnavailable(f"{whom} has not begun to answer within {waited_s:.3g} s.")
