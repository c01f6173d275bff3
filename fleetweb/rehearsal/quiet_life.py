"""What the rehearsal does by itself, so that a first visitor sees presence at once."""

import random

from .asking import Ask
from .catalogue import CATALOGUE, FRONTIER, LARGE, LOADING, MEDIUM, SMALL
from .cluster import Cluster
from .engine import Engine
from .generation import Closed, Failed, Stats
from .placement import place
from .voices import Manner

FIRST_REQUEST_S = 3.0
MOST_TOKENS = 700  # so that it stays a quiet life
BETWEEN_S = (4.0, 9.0)  # who comes at any moment sees something happen within ten seconds

_PROMPTS = (
    "Plan a garden for a slope that faces south-east, with room for six beds.",
    "Why does bread rise faster in summer, and what should I change?",
    "Compare three ways to store rain water for a small house.",
    "Explain to a ten-year-old how a lens makes a picture.",
    "Write a long story about a lighthouse keeper who collects clocks.",
    "My code sorts twice. Find a way to sort once, in detail.",
    "What should a family of four pack for a week by bicycle?",
    "Draft a letter that asks the town for a safer crossing.",
)
_MANNERS = (Manner.PLAIN,) * 7 + (Manner.CONTRADICTS, Manner.RECURSES, Manner.CIRCLES)


async def live_quietly(cluster: Cluster) -> None:
    """Settle in, then ask, fetch and load a little, for ever."""
    _settle_in(cluster, ready=True)
    clock, rng = cluster.stage.clock, cluster.stage.rng
    await clock.sleep(FIRST_REQUEST_S)
    _ask(cluster, LARGE, rng)
    while True:
        await clock.sleep(rng.uniform(*BETWEEN_S))
        _next_thing(cluster, rng)


def _settle_in(cluster: Cluster, ready: bool) -> None:
    """A small model on one soldier, a medium on the king, a large one on the soldiers together."""
    names = [machine.name for machine in cluster.machines]
    soldiers = names[1:] or names
    _place(cluster, SMALL, soldiers[:1], ready)
    _place(cluster, MEDIUM, names[:1], ready)
    _place(cluster, LARGE, soldiers[:3], ready)
    _place(cluster, LOADING, soldiers[1:2] or names[:1], ready=False)


def _place(cluster: Cluster, model_id: str, names: list[str], ready: bool) -> None:
    card = CATALOGUE[model_id]
    ids = {machine.id for machine in cluster.machines if machine.name in names}
    rooms = [room for room in cluster.rooms() if room.node_id in ids]
    if sum(room.free_bytes for room in rooms) >= card.storage_bytes:
        cluster.create(place(card, rooms, cluster.stage.rng, "Pipeline", "MlxRing"), ready)


def _next_thing(cluster: Cluster, rng: random.Random) -> None:
    loaded = [engine.model_id for engine in cluster.engines.values()]
    chance = rng.random()
    if not loaded:  # an election has taken everything
        _settle_in(cluster, ready=False)
    elif chance < 0.06:
        _fetch(cluster, rng)
    elif chance < 0.10 and FRONTIER not in loaded:
        _place(cluster, FRONTIER, [machine.name for machine in cluster.machines], ready=False)
    else:
        _ask(cluster, rng.choice(loaded), rng)


def _ask(cluster: Cluster, model_id: str, rng: random.Random) -> None:
    engine = cluster.engine_for(model_id)
    if engine is None:
        return
    context = "Here is what was said before. " * rng.choice((1, 20, 300))
    messages = (
        {"role": "system", "content": context},
        {"role": "user", "content": rng.choice(_PROMPTS)},
    )
    ask = Ask(model=model_id, messages=messages, stream=True, max_tokens=MOST_TOKENS)
    cluster.stage.crew.start(_listen(cluster, engine, ask, rng.choice(_MANNERS)))


async def _listen(cluster: Cluster, engine: Engine, ask: Ask, manner: Manner) -> None:
    """Be the caller: read until the end, whatever that is."""
    job = cluster.ask(engine, ask, manner)
    while not isinstance(await job.pieces.get(), Stats | Failed | Closed):
        pass


def _fetch(cluster: Cluster, rng: random.Random) -> None:
    """One model of the catalogue comes to one machine's disk."""
    card = rng.choice([c for c in CATALOGUE.values() if 2e9 < c.storage_bytes < 30e9])
    has = cluster.stage.state.shelf.has
    lacking = [room.node_id for room in cluster.rooms() if not has(room.node_id, card.id)]
    if lacking:
        cluster.downloads.start(rng.choice(lacking), card)
