"""Where there is the least to do."""

from collections.abc import Mapping

from ..candidates import Candidate, RoutingDecision
from .weighing import door, gpu, load, memory, model


class LeastLoaded:
    """The fewest requests in hand and waiting, among those that have the model loaded."""

    def parts(self, candidate: Candidate) -> Mapping[str, float]:
        return {
            "model": model(candidate),
            "load": load(candidate),
            "gpu": gpu(candidate),
            "memory": memory(candidate),
            "door": door(candidate),
        }

    def decision(self, _winner: Candidate, _runner_up: Candidate | None) -> RoutingDecision:
        return RoutingDecision.LOWEST_LOAD
