"""How long a model may be silent before that says something."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from ..latency import Histogram, prompt_bucket


class Phase(StrEnum):
    """Where a stream stands."""

    WAITING = "waiting"  # nothing has come yet
    READING = "reading"  # the prompt is being read (prefill)
    THINKING = "thinking"
    ANSWERING = "answering"
    DONE = "done"


# Generous, because a false alarm costs healthy work: a queue may be long, and exo's steps of
# 4096 prompt tokens can be minutes apart on a large model.
_DEFAULT_S = {
    Phase.WAITING: 900.0,
    Phase.READING: 900.0,
    Phase.THINKING: 120.0,
    Phase.ANSWERING: 120.0,
}
# What was once the longest is surpassed sooner or later by chance, above all while little was seen.
_MARGIN = 1.5
_LEAST_S = 10.0
_ENOUGH = {Phase.WAITING: 20, Phase.READING: 20, Phase.THINKING: 300, Phase.ANSWERING: 300}


class Gap(NamedTuple):
    """A silence that ended: how long, in which phase, with how large a prompt (None: unknown)."""

    phase: Phase
    seconds: float
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Gaps:
    """The silences of one model, as histograms in milliseconds by phase and prompt size. Mergeable.

    The size is `latency.prompt_bucket`, None where the prompt's size was unknown.
    """

    histograms: tuple[tuple[Phase, int | None, Histogram], ...] = ()

    @classmethod
    def of(cls, gaps: Iterable[Gap]) -> Self:
        values: dict[tuple[Phase, int | None], list[float]] = {}
        for gap in gaps:
            key = (gap.phase, _bucket(gap.prompt_tokens))
            values.setdefault(key, []).append(gap.seconds * 1000)
        return cls(tuple((*key, Histogram.of(found)) for key, found in values.items()))

    def merge(self, other: Self) -> Self:
        found: dict[tuple[Phase, int | None], Histogram] = {}
        for phase, bucket, histogram in (*self.histograms, *other.histograms):
            found[phase, bucket] = found.get((phase, bucket), Histogram()).merge(histogram)
        return type(self)(tuple((*key, histogram) for key, histogram in found.items()))

    def longest_s(self, phase: Phase, prompt_tokens: int | None = None) -> float | None:
        """The longest silence known at this phase and size; None while too few have been seen."""
        bucket = _bucket(prompt_tokens)
        for known_phase, known_bucket, histogram in self.histograms:
            if (known_phase, known_bucket) == (phase, bucket) and histogram.max is not None:
                return histogram.max / 1000 if histogram.count >= _ENOUGH.get(phase, 0) else None
        return None


def patience_s(gaps: Gaps | None, phase: Phase, prompt_tokens: int | None, own_s: float) -> float:
    """How long a silence must last before it is called one.

    `own_s` is the longest silence this very stream has come back from in this phase.
    """
    longest = gaps.longest_s(phase, prompt_tokens) if gaps else None
    learned = _DEFAULT_S.get(phase, float("inf")) if longest is None else longest * _MARGIN
    return max(learned, own_s * 2 * _MARGIN, _LEAST_S)


def _bucket(prompt_tokens: int | None) -> int | None:
    return None if prompt_tokens is None else prompt_bucket(prompt_tokens)
