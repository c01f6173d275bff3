"""Where the first token comes soonest."""

from collections.abc import Mapping

from ..candidates import Candidate, RoutingDecision
from .weighing import caution, door, latency, memory


class LatencyAware:
    """The shortest time to first token, the time to load the model included.

    A loaded place that is very slow can so lose to one that has to load the model first.
    """

    def parts(self, candidate: Candidate) -> Mapping[str, float]:
        return {
            "latency": latency(candidate),
            "load": caution(candidate),
            "memory": memory(candidate),
            "door": door(candidate),
        }

    def decision(self, winner: Candidate, runner_up: Candidate | None) -> RoutingDecision:
        if winner.learned_ttft_ms is None:
            return RoutingDecision.LOWEST_LOAD
        if runner_up is not None and latency(runner_up) < latency(winner):
            return RoutingDecision.LOWEST_LOAD
        return RoutingDecision.LOWEST_LATENCY
