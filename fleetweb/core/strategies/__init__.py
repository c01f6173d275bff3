"""How to weigh candidates: one strategy per file, and one line each here."""

from collections.abc import Mapping

from ..candidates import LoadBalanceStrategy
from .latency_aware import LatencyAware
from .least_loaded import LeastLoaded
from .model_affinity import ModelAffinity
from .round_robin import RoundRobin
from .weighing import Strategy

STRATEGIES: Mapping[LoadBalanceStrategy, Strategy] = {
    LoadBalanceStrategy.ROUND_ROBIN: RoundRobin(),
    LoadBalanceStrategy.LEAST_LOADED: LeastLoaded(),
    LoadBalanceStrategy.LATENCY_AWARE: LatencyAware(),
    LoadBalanceStrategy.MODEL_AFFINITY: ModelAffinity(),
}

__all__ = ["STRATEGIES", "Strategy"]
