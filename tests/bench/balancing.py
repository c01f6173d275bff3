"""What a routing decision costs, by the number of candidates."""

import argparse
import random
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from fleetweb.core.balancing import BalanceState, Candidate, LoadBalanceStrategy, choose

MODEL = "mlx-community/Llama-3.3-70B-Instruct-4bit"
SIZES = (4, 16, 64)


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Microseconds per decision and their ratio to four candidates, for every strategy."""
    parser = argparse.ArgumentParser(prog="balancing", description=__doc__)
    parser.add_argument("--decisions", type=int, default=300, help="decisions per round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(argv)
    return {
        strategy.value: _by_size(strategy, options.decisions, options.rounds)
        for strategy in LoadBalanceStrategy
    }


def _by_size(strategy: LoadBalanceStrategy, decisions: int, rounds: int) -> dict[str, object]:
    """Sizes take turns in every round, so that a slow moment of the machine hits them alike."""
    timed: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            timed[size].append(_us_per_decision(strategy, _candidates(size), decisions))
    us = {size: median(times) for size, times in timed.items()}
    return {
        "us_per_decision": {str(size): round(us[size], 1) for size in SIZES},
        "ratio_to_4": {str(size): round(us[size] / us[SIZES[0]], 2) for size in SIZES},
    }


def _us_per_decision(
    strategy: LoadBalanceStrategy, candidates: Sequence[Candidate], decisions: int
) -> float:
    """Nothing is over meanwhile, so every candidate's load is reckoned anew each time."""
    state = BalanceState()
    began = perf_counter()
    for _ in range(decisions):
        _, state = choose(strategy, candidates, state, model=MODEL)
    return (perf_counter() - began) / decisions * 1e6


def _candidates(count: int) -> list[Candidate]:
    rng = random.Random(count)
    return [
        Candidate(
            cluster=f"cluster{number // 4}",
            door=f"http://node{number}:52415",
            node=f"node{number}",
            loaded=number % 4 < 2,
            fits=True,
            holds_shard=number % 4 < 2,
            in_hand=rng.randrange(4),
            memory_free_bytes=rng.randrange(2**38),
            gpu_usage=rng.random(),
            ttft_ms=rng.uniform(200, 4000),
            ttft_samples=rng.randrange(9),
        )
        for number in range(count)
    ]
