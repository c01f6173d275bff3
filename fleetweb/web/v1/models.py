"""`GET /v1/models`: everything that could answer here, and where each is loaded."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from fleetweb.core.naming import resolve
from fleetweb.core.openai import model_list
from fleetweb.errors import ProviderError
from fleetweb.fleet import live
from fleetweb.gateway.running import gateway
from fleetweb.gateway.view import FleetView, Placement
from fleetweb.upstream.exo_models import ModelCard
from fleetweb.upstream.providers import Provider

# Providers outside are asked seldom: their lists change by the month.
FRESH_FOR_S: Final = 300.0
ASKED_AGAIN_AFTER_S: Final = 15.0

Entry = dict[str, Any]


async def every_model() -> Entry:
    """The body of `GET /v1/models`: what is loaded first, then by name, then providers outside."""
    return model_list([*_sorted(await _of_fleet()), *await _of_providers()])


async def one_model(name: str) -> Entry:
    """The entry of a model, under any name it can be asked for by. Raises ModelUnknown."""
    fleet = await _of_fleet()
    named = {entry["id"]: entry for entry in (*await _of_providers(), *fleet.values())}
    found = named.get(name)
    if found is None:
        loaded = FleetView(await live.current()).loaded
        found = fleet[resolve(name, fleet, gateway().config.aliases, loaded)]
    body: Entry = model_list([found])["data"][0]
    return body


async def _of_fleet() -> dict[str, Entry]:
    view = FleetView(await live.current())
    catalogue = await gateway().fleet.catalogue.of(view)
    cards = {card.id: card for cards in catalogue.values() for card in cards}
    ids = [*cards, *(p.model_id for p in view.placements if p.model_id not in cards)]
    return {model: _entry(model, cards.get(model), view, catalogue) for model in ids}


def _entry(
    model_id: str,
    card: ModelCard | None,
    view: FleetView,
    catalogue: Mapping[str, tuple[ModelCard, ...]],
) -> Entry:
    placements = view.placements_of(model_id)
    known = {name for name, cards in catalogue.items() if any(c.id == model_id for c in cards)}
    told: Entry = {
        "id": model_id,
        "owned_by": "exo",
        "provider": "exo",
        "loaded": any(placement.is_ready for placement in placements),
        "loading": any(placement.is_loading for placement in placements),
        "nodes": _machines(p for p in placements if p.is_ready),
        "clusters": sorted(known | {placement.cluster for placement in placements}),
    }
    if card is not None:
        told |= {"context_length": card.context_length, "size_bytes": card.storage_bytes}
    return told


def _machines(placements: Iterable[Placement]) -> list[str]:
    return sorted({name for placement in placements for name in placement.shares})


def _sorted(entries: Mapping[str, Entry]) -> list[Entry]:
    return sorted(entries.values(), key=lambda entry: (not entry["loaded"], entry["id"]))


async def _of_providers() -> list[Entry]:
    providers = gateway().config.providers.values()
    lists = await asyncio.gather(*(_names(provider) for provider in providers))
    return [
        {"id": name, "owned_by": provider.kind, "provider": provider.kind, "loaded": None}
        for provider, names in zip(providers, lists, strict=True)
        for name in names
    ]


_names_until: WeakKeyDictionary[Provider, tuple[float, tuple[str, ...]]] = WeakKeyDictionary()


async def _names(provider: Provider) -> tuple[str, ...]:
    """The models of a provider; where it does not answer, those known last or by configuration."""
    until, names = _names_until.get(provider, (0.0, ()))
    if time.monotonic() < until:
        return names
    fresh_for_s = FRESH_FOR_S
    try:
        names = await provider.models()
    except ProviderError:
        names = names or tuple(filter(None, [provider.default_model]))
        fresh_for_s = ASKED_AGAIN_AFTER_S
    _names_until[provider] = (time.monotonic() + fresh_for_s, names)
    return names
