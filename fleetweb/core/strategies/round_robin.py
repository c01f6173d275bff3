"""Everybody in turn."""

from collections.abc import Mapping

from ..candidates import Candidate, RoutingDecision
from .weighing import model, shard


class RoundRobin:
    """Those that have the model loaded take turns, at the doors that hold a part of it."""

    def parts(self, candidate: Candidate) -> Mapping[str, float]:
        return {"model": model(candidate), "door": shard(candidate)}

    def decision(self, _winner: Candidate, _runner_up: Candidate | None) -> RoutingDecision:
        return RoutingDecision.ROUND_ROBIN
