"""What a machine holds of a model, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleetweb.core import words
from fleetweb.core.presence import ShardShare
from fleetweb.core.snapshot import RunnerPhase

PHASES: Mapping[RunnerPhase, str] = {
    RunnerPhase.ABSENT: "on its way",
    RunnerPhase.IDLE: "getting ready",
    RunnerPhase.CONNECTING: "connecting",
    RunnerPhase.CONNECTED: "connected",
    RunnerPhase.LOADING: "loading",
    RunnerPhase.LOADED: "loaded",
    RunnerPhase.WARMING_UP: "warming up",
    RunnerPhase.READY: "ready",
    RunnerPhase.RUNNING: "running",
    RunnerPhase.SHUTTING_DOWN: "leaving",
    RunnerPhase.SHUTDOWN: "gone",
    RunnerPhase.FAILED: "failed",
    RunnerPhase.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class HoldingCard:
    """`part` is which layers, counted from 1 as people do; `company` names who holds the rest."""

    model: str
    model_id: str
    phase: str
    part: str
    company: str
    at_work: bool
    unready: bool


def holding(share: ShardShare) -> HoldingCard:
    return HoldingCard(
        model=words.short_model(share.model_id),
        model_id=share.model_id,
        phase=PHASES[share.phase],
        part=_part(share),
        company=words.listing(share.companions),
        at_work=share.at_work,
        unready=share.phase not in (RunnerPhase.READY, RunnerPhase.RUNNING),
    )


def _part(share: ShardShare) -> str:
    if not share.companions:
        return "whole"
    if share.sharding == "tensor":
        return (
            f"a slice of all {share.n_layers} layers" if share.n_layers else "a slice of each layer"
        )
    held = words.layers(share.start_layer, share.end_layer)
    if held is None:
        return "a part"
    return f"{held} of {share.n_layers}" if share.n_layers else held
