"""Where the model already is; then as by latency."""

from collections.abc import Mapping

from ..candidates import Candidate, RoutingDecision
from .latency_aware import LatencyAware
from .weighing import model


class ModelAffinity(LatencyAware):
    """Model loaded, then lowest latency, then lowest load, then in turns."""

    def parts(self, candidate: Candidate) -> Mapping[str, float]:
        return {"model": model(candidate), **super().parts(candidate)}

    def decision(self, winner: Candidate, runner_up: Candidate | None) -> RoutingDecision:
        if winner.loaded:
            return RoutingDecision.MODEL_LOADED
        return super().decision(winner, runner_up)
