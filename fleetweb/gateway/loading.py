"""Loading a model because somebody asked for it, while they are told how far it is."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from fleetweb.core.snapshot import RunnerPhase
from fleetweb.core.words import short_model
from fleetweb.errors import ClusterError, ProviderUnavailable
from fleetweb.fleet import live, worker
from fleetweb.upstream.exo import Exo

from .view import FleetView, Placement

LOOKED_AT_EVERY_S: Final = 0.5
# exo says "Command received." to a placement that can't succeed too, and then nothing appears.
APPEARS_WITHIN_S: Final = 30.0
# A machine may fetch the model first; as long as something moves it is not given up.
STILL_FOR_AT_MOST_S: Final = 180.0

Told = Callable[[int, int], None]


class Loader:
    """One placement at a time for each model and cluster, however many ask for it."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, str], asyncio.Lock] = {}

    async def load(self, cluster: str, door: str, model_id: str, machines: int, told: Told) -> None:
        """Have `model_id` loaded on as many machines as it takes; `told(done, total)` layers.

        Raises ProviderUnavailable where it does not come to be.
        """
        lock = self._under_way.setdefault((cluster, model_id), asyncio.Lock())
        async with lock:
            if not await _placements(model_id, cluster):
                await _place(door, model_id, machines)
            await _until_ready(model_id, cluster, told)


async def _place(door: str, model_id: str, machines: int) -> None:
    try:
        await Exo(door).place(model_id, min_nodes=machines)
    except ClusterError as error:
        raise ProviderUnavailable(
            f"{short_model(model_id)} could not be loaded: {error}"
        ) from error


async def _until_ready(model_id: str, cluster: str, told: Told) -> None:
    began = moved_at = time.monotonic()
    seen: object = None
    while True:
        await worker.ask({"type": "poll.now"})
        placements = await _placements(model_id, cluster)
        if any(placement.is_ready for placement in placements):
            return
        now = time.monotonic()
        if placements != seen:
            seen, moved_at = placements, now
        _give_up_if_hopeless(model_id, placements, now - began, now - moved_at)
        for placement in placements[:1]:
            told(*_layers(placement))
        await asyncio.sleep(LOOKED_AT_EVERY_S)


def _give_up_if_hopeless(
    model_id: str, placements: tuple[Placement, ...], waited_s: float, still_s: float
) -> None:
    model = short_model(model_id)
    if not placements and waited_s > APPEARS_WITHIN_S:
        raise ProviderUnavailable(f"exo accepted to load {model}, but nothing came of it.")
    if placements and all(placement.troubles for placement in placements):
        name, trouble = next(iter(placements[0].troubles.items()))
        raise ProviderUnavailable(f"{model} could not be loaded: {name} {trouble}.")
    if still_s > STILL_FOR_AT_MOST_S:
        raise ProviderUnavailable(f"{model} has not come any further for {still_s:.0f} s.")


def _layers(placement: Placement) -> tuple[int, int]:
    """Layers in, of all: each machine counts its own."""
    done = total = 0
    for share in placement.shares.values():
        own = (share.end_layer or 0) - (share.start_layer or 0)
        size = share.total_layers or own
        is_in = share.phase in (RunnerPhase.LOADED, RunnerPhase.WARMING_UP, RunnerPhase.READY)
        done += size if is_in else min(share.layers_loaded or 0, size)
        total += size
    return done, total


async def _placements(model_id: str, cluster: str) -> tuple[Placement, ...]:
    return FleetView(await live.current()).placements_of(model_id, cluster)
