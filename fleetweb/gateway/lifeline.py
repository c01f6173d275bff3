"""Noticing that the machine that answers has died, long before exo says so.

exo sends keep-alives for 46 s after a machine of the instance was killed. Presence knows after
about five seconds that nobody has heard from it.
"""

import asyncio
from typing import Final

from fleetweb.core.presence import Condition
from fleetweb.core.streams import SENT
from fleetweb.core.words import short_model
from fleetweb.errors import ProviderUnavailable
from fleetweb.fleet import live

from .desk import Desk
from .passage import Passage
from .view import FleetView

LOOKED_AT_EVERY_S: Final = 0.5
# Words that still come prove more than a machine that was not heard of.
SILENT_FOR_S: Final = 3.0


class Lifeline:
    """Looks after the requests on a desk, for as long as there are any."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._watching: asyncio.Task[None] | None = None

    def hold(self) -> None:
        """There is a request to look after."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while self._desk.passages:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            view = FleetView(await live.current())
            for passage in list(self._desk.passages.values()):
                passage.nodes = passage.nodes or workers_of(passage, view)
                trouble = trouble_of(passage, view)
                if trouble is not None:
                    self._desk.interrupt(passage.id, ProviderUnavailable(trouble))


def workers_of(passage: Passage, view: FleetView) -> tuple[str, ...]:
    """The machines that work on `passage`, as soon as exo shows which they are."""
    command_id = passage.command_id
    return next((w.nodes for w in view.work if command_id and w.command_id == command_id), ())


def trouble_of(passage: Passage, view: FleetView) -> str | None:
    """Why nothing more will come for `passage`, None while something may."""
    if passage.cluster is None or passage.stage not in SENT or passage.silent_s < SILENT_FOR_S:
        return None
    placements = view.placements_of(passage.model_id, passage.cluster)
    if not placements:
        return _gone(passage, view)
    work = next((w for w in view.work if w.command_id and w.command_id == passage.command_id), None)
    if work is not None:
        placements = tuple(p for p in placements if p.id == work.instance_id) or placements
    if not all(placement.troubles for placement in placements):
        return None
    name, trouble = next(iter(placements[0].troubles.items()))
    return f"{name}, which holds a part of {short_model(passage.model_id)}, {trouble}."


def _gone(passage: Passage, view: FleetView) -> str | None:
    """An election forgets everything that was loaded; exo leaves its streams open for minutes."""
    conditions = {cluster.name: cluster.condition for cluster in view.clusters}
    if conditions.get(passage.cluster or "") not in (Condition.WELL, Condition.REELECTED):
        return None
    return f"{short_model(passage.model_id)} is not loaded any more: exo has started over."
