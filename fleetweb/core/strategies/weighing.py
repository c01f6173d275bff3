"""What strategies weigh candidates by.

A candidate is weighed alone, never against the others, so taking a loser away can't change who
wins. The unit is one step: ten per cent of time to first token, or one request in hand. Two that
are within ten per cent of each other are so told apart by what they have in hand, and each request
of a burst makes the place it went to less attractive for the next.
"""

import math
from collections.abc import Mapping
from typing import Protocol

from ..candidates import Candidate, RoutingDecision

INDIFFERENCE = 1.1
MODEL_STEPS = 100_000.0  # more than latency and load can amount to
MOST_STEPS = 50_000.0

# A place nobody has measured is taken to be brisk, so that it gets measured, but its requests in
# hand weigh more, so that a burst tries it with a few and does not bet on it.
UNLEARNED_TTFT_MS = 1000.0
UNLEARNED_LOAD_WEIGHT = 8

MEMORY_SCALE_BYTES = 64 * 2**30


class Strategy(Protocol):
    """A way to weigh candidates. `parts` are added up; the lowest sum wins, in turns if equal."""

    def parts(self, candidate: Candidate) -> Mapping[str, float]: ...

    def decision(self, winner: Candidate, runner_up: Candidate | None) -> RoutingDecision:
        """What decided for `winner`; `runner_up` is None where it had no competition."""
        ...


def model(candidate: Candidate) -> float:
    """Loaded before loading before still to be loaded, whatever else there is to say."""
    if candidate.loaded:
        return 0.0
    return MODEL_STEPS if candidate.loading else 2 * MODEL_STEPS


def latency(candidate: Candidate) -> float:
    """Steps of ten per cent from one millisecond to the expected first token, loading included."""
    ttft_ms = candidate.learned_ttft_ms
    expected_ms = (UNLEARNED_TTFT_MS if ttft_ms is None else ttft_ms) + candidate.loading_ms
    return min(math.log(max(1.0, expected_ms)) / math.log(INDIFFERENCE), MOST_STEPS)


def caution(candidate: Candidate) -> float:
    """One step for each request in hand or waiting; more where the latency is not known."""
    weight = UNLEARNED_LOAD_WEIGHT if candidate.learned_ttft_ms is None else 1
    return min(float(candidate.load * weight), MOST_STEPS)


def load(candidate: Candidate) -> float:
    return min(float(candidate.load), MOST_STEPS)


def shard(candidate: Candidate) -> float:
    """Half a step for asking a machine that only passes the answer on."""
    return 0.0 if candidate.holds_shard else 0.5


def door(candidate: Candidate) -> float:
    """Under one step in all: which door of a cluster matters less than which cluster."""
    busy = 0.25 if candidate.busy_elsewhere else 0.0
    return shard(candidate) + busy + 0.2 * candidate.streams / (1 + candidate.streams)


def memory(candidate: Candidate) -> float:
    """Under one step, less the more is free; only where the model has yet to be placed."""
    if candidate.loaded or candidate.loading:
        return 0.0
    if candidate.memory_free_bytes is None:
        return 0.5
    return MEMORY_SCALE_BYTES / (MEMORY_SCALE_BYTES + max(1, candidate.memory_free_bytes))


def gpu(candidate: Candidate) -> float:
    """Under half a step, in quarters of use, so that flicker decides nothing; unknown is midway."""
    if candidate.gpu_usage is None:
        return 0.2
    return min(max(0, int(candidate.gpu_usage * 4)), 4) / 10
