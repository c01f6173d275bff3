"""How long models of a size take on machines of this fleet."""

from dataclasses import dataclass

PREFILL_STEP_TOKENS = 4096  # exo reports prefill in steps of this many tokens
READ_BYTES_PER_S = 4e9  # from disk into memory
EFFECTIVE_BANDWIDTH = 600e9  # bytes/s a Mac Studio moves while it generates
WIRE_BYTES_PER_S = 110e6  # from the internet

_FASTEST_TPS = 85.0
_PREFILL_RATIO = 8.0  # prefill is compute-bound and batched, so faster than generation
_SPREAD_BYTES = 250e9  # at this size coordination costs as much as the work itself


@dataclass(frozen=True, slots=True)
class Pace:
    """A model's speeds, in rehearsed seconds. 8B: 83 tokens/s; 671B: 10 tokens/s, prefill 85."""

    generation_tps: float
    prefill_tps: float
    warm_up_s: float


def pace_of(storage_bytes: int, active_share: float) -> Pace:
    """`active_share` is the part of the weights one token moves: 1 without experts."""
    by_bandwidth = EFFECTIVE_BANDWIDTH / max(1.0, storage_bytes * active_share)
    tps = min(_FASTEST_TPS, by_bandwidth) / (1 + storage_bytes / _SPREAD_BYTES)
    return Pace(
        generation_tps=tps,
        prefill_tps=tps * _PREFILL_RATIO,
        warm_up_s=1.5 + storage_bytes / 80e9,
    )


def crowding(requests: int) -> float:
    """How much slower each of `requests` batched together goes than one alone."""
    return 1 + 0.15 * max(0, requests - 1)
