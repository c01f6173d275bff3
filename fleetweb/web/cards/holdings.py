"""What a machine holds of a model, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleetweb.core import words
from fleetweb.core.presence import ShardShare
from fleetweb.core.snapshot import READY_PHASES, RunnerPhase

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
    """`part` is which layers, counted from 1 as people do, `of` how many there are in all.

    `company` names who holds the rest.
    """

    model: str
    model_id: str
    phase: str
    part: str
    of: str
    company: str
    at_work: bool
    unready: bool


def holding(share: ShardShare) -> HoldingCard:
    part, total = _part(share)
    return HoldingCard(
        model=words.short_model(share.model_id),
        model_id=share.model_id,
        phase=PHASES[share.phase],
        part=part,
        of=f"of {total}" if total else "",
        company=words.listing(share.companions),
        at_work=share.at_work,
        unready=share.phase not in READY_PHASES,
    )


def _part(share: ShardShare) -> tuple[str, int | None]:
    if not share.companions:
        return "whole", None
    if share.sharding == "tensor":
        return "a slice of each layer", None
    held = words.layers(share.start_layer, share.end_layer)
    return (held, share.n_layers) if held else ("a part", None)
