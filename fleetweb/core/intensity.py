"""How hard a machine works, 0..1, from the signals there are."""

from collections.abc import Mapping

from .snapshot import ExoNode

# A request in hand says most; a GPU's own word is next; full memory alone is no effort.
WEIGHTS: Mapping[str, float] = {
    "requests": 0.5,
    "token_rate": 0.2,
    "gpu_usage": 0.2,
    "memory_used": 0.1,
}
HARD_WORK = 0.8


def weigh(signals: Mapping[str, float | None]) -> float:
    """The weighted mean of the signals that are known; one that is missing is left out."""
    known = {name: value for name, value in signals.items() if value is not None}
    total = sum(WEIGHTS[name] for name in known)
    if not total:
        return 0.0
    shares = {name: min(1.0, max(0.0, value)) for name, value in known.items()}
    return round(sum(WEIGHTS[name] * share for name, share in shares.items()) / total, 3)


def effort(requests: int) -> float:
    """What requests in hand amount to: 0, 0.6, 0.84, 0.94…; exo batches, so each adds less."""
    return 1 - 0.4**requests


def signals(node: ExoNode, doing: float) -> dict[str, float | None]:
    """What exo reports of one machine, beside `doing`, how much it is asked to do (0..1)."""
    return {
        "requests": doing,
        "gpu_usage": node.gpu_usage,
        "memory_used": memory_used(node),
    }


def memory_used(node: ExoNode) -> float | None:
    if node.memory_used_bytes is None or not node.memory_total_bytes:
        return None
    return node.memory_used_bytes / node.memory_total_bytes
