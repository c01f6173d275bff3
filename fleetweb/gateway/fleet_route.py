"""A request's way through the fleet: its model, its turn, its door, if need be the next door."""

import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from typing import Final

from django.utils import timezone

from fleetweb.core.balancing import LoadBalanceStrategy, RouteResult
from fleetweb.core.candidates import Door
from fleetweb.core.chat import ChatRequest, Chunk, estimate_prompt_tokens
from fleetweb.core.latency import prompt_bucket
from fleetweb.core.naming import Alias, resolve
from fleetweb.core.streams import Stage
from fleetweb.errors import ModelUnknown, NoCandidate, ProviderError
from fleetweb.fleet import live
from fleetweb.upstream.providers import Provider, ProviderConfig, make_provider

from .catalogue import Catalogue
from .experience import Experience
from .leash import Leash
from .loading import Loader
from .measures import Attempt
from .passage import Passage
from .router import ModelRouter
from .view import FleetView

EXO: Final = "exo"
DOORS_TRIED: Final = 3


class FleetRoute:
    """Sends requests to the machines of the fleet."""

    def __init__(
        self,
        router: ModelRouter,
        in_hand: Callable[[], Collection[Passage]],
        aliases: tuple[Alias, ...],
        strategy: LoadBalanceStrategy,
        *,
        load_on_demand: bool,
    ) -> None:
        self.catalogue = Catalogue()
        self.experience = Experience()
        self._router = router
        self._in_hand = in_hand
        self._aliases = aliases
        self._strategy = strategy
        self._load_on_demand = load_on_demand
        self._loader = Loader()
        self._providers: dict[str, Provider] = {}

    async def plan(self, request: ChatRequest, strategy: LoadBalanceStrategy | None) -> RouteResult:
        """Where `request` would go now; nothing is sent, and no turn is taken."""
        view = FleetView(await live.current())
        model_id = await self._model(request.model, view)
        return self._route(request, view, model_id, strategy, dry=True)

    async def chunks(self, passage: Passage, leash: Leash) -> AsyncGenerator[Chunk, None]:
        """The answer, from the first door that gives one. Raises ProviderError or NoCandidate."""
        tried: list[Door] = []
        route, view = await self._next(passage, tried)
        while True:
            leash.renew()
            try:
                async with aclosing(self._through(route, passage, view, leash)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except ProviderError as error:
                tried.append((route.cluster or "", route.node_endpoint))
                if passage.has_spoken or not error.retryable or len(tried) >= DOORS_TRIED:
                    raise
                try:
                    route, view = await self._next(passage, tried)
                except NoCandidate:
                    raise error from None

    def learn(self, passage: Passage) -> None:
        """From an answer that came to its end; one shared or kept teaches nothing new."""
        if passage.provider != EXO or passage.cached:
            return
        listener = passage.measures.listener
        listener.finish(time.monotonic())
        self.experience.learn_gaps(passage.model_id, listener.ended_gaps())
        if run := passage.measures.run():
            self.experience.learn_run(passage.model_id, passage.cluster or "", run)
        self.experience.catch_up()

    async def _model(self, name: str, view: FleetView) -> str:
        """exo's id of what `name` means; the catalogue is asked only for what is not loaded."""
        loaded = view.loaded
        try:
            return resolve(name, loaded, self._aliases, loaded)
        except ModelUnknown:
            catalogue = await self.catalogue.of(view)
            known = [card.id for cards in catalogue.values() for card in cards]
            return resolve(name, [*loaded, *known], self._aliases, loaded)

    async def _next(self, passage: Passage, tried: list[Door]) -> tuple[RouteResult, FleetView]:
        """The door to ask now, and the fleet as it was chosen from. Raises NoCandidate."""
        view = FleetView(await live.current())
        passage.model_id = await self._model(passage.request.model, view)
        route = self._route(
            passage.request,
            view,
            passage.model_id,
            passage.caller.strategy,
            without=tried,
            may_load=not tried,
        )
        passage.route, passage.provider = route, EXO
        passage.cluster, passage.node = route.cluster, route.node
        passage.nodes = _workers(view, passage)
        return route, view

    def _route(
        self,
        request: ChatRequest,
        view: FleetView,
        model_id: str,
        strategy: LoadBalanceStrategy | None,
        *,
        without: list[Door] | None = None,
        may_load: bool = True,
        dry: bool = False,
    ) -> RouteResult:
        return self._router.route(
            view,
            model_id,
            _bucket(request),
            strategy or self._strategy,
            self.catalogue.sizes(),
            may_load=may_load and self._load_on_demand,
            without=without or (),
            dry=dry,
        )

    async def _through(
        self, route: RouteResult, passage: Passage, view: FleetView, leash: Leash
    ) -> AsyncGenerator[Chunk, None]:
        """Through one door: wait for a turn, have the model loaded, ask."""
        cluster = route.cluster or ""
        door = (cluster, route.node_endpoint)
        try:
            async with self._router.turns.take(cluster, passage, leash):
                if not route.model_loaded:
                    await self._load(route, passage, view, leash)
                async with aclosing(self._ask(door, passage, leash)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        finally:
            self._router.release(door)

    async def _load(
        self, route: RouteResult, passage: Passage, view: FleetView, leash: Leash
    ) -> None:
        passage.measures.expects(
            self.experience.outlook(
                passage.request, passage.model_id, route.cluster or "", ahead=0, needs_loading=True
            )
        )
        passage.enter(Stage.LOADING)
        began_s = passage.elapsed_s
        size = self.catalogue.sizes().get(passage.model_id, 0)
        machines = view.machines_for(route.cluster or "", size) or 1
        with leash:
            await self._loader.load(
                route.cluster or "",
                route.node_endpoint,
                passage.model_id,
                machines,
                passage.progress,
            )
        passage.measures.marks.loaded = passage.elapsed_s
        passage.nodes = _workers(FleetView(await live.current()), passage)
        took_s = passage.elapsed_s - began_s
        self._router.learn_load(passage.model_id, took_s * 1000)
        self.experience.learn_load(passage.model_id, route.cluster or "", took_s)

    async def _ask(self, door: Door, passage: Passage, leash: Leash) -> AsyncGenerator[Chunk, None]:
        cluster, url = door
        self._send(passage, cluster)
        began_s, began_at = passage.elapsed_s, timezone.now()
        error: str | None = None
        source = self._provider(url).stream(passage.request, passage.model_id)
        try:
            async with self._router.attempt(door, passage), aclosing(source):
                async for chunk in leashed(source, leash):
                    if chunk.has_output and not passage.has_spoken:
                        passage.has_spoken = True
                        self._learn_ttft(cluster, passage, began_s)
                    yield chunk
        except ProviderError as caught:
            error = str(caught)
            raise
        finally:
            took_ms = (passage.elapsed_s - began_s) * 1000
            passage.attempts.append(
                Attempt(EXO, passage.model_id, url, passage.node, began_at, took_ms, error)
            )

    def _send(self, passage: Passage, cluster: str) -> None:
        ahead = sum(
            other.cluster == cluster and other.model_id == passage.model_id and other is not passage
            for other in self._in_hand()
        )
        outlook = self.experience.outlook(
            passage.request, passage.model_id, cluster, ahead=ahead, needs_loading=False
        )
        passage.sent(outlook, self.experience.gaps_of(passage.model_id))

    def _learn_ttft(self, cluster: str, passage: Passage, began_s: float) -> None:
        ttft_ms = (passage.elapsed_s - began_s) * 1000
        self._router.learn_ttft(cluster, passage.model_id, _bucket(passage.request), ttft_ms)

    def _provider(self, url: str) -> Provider:
        if url not in self._providers:
            self._providers[url] = make_provider(EXO, ProviderConfig(url=url))
        return self._providers[url]


async def leashed(source: AsyncGenerator[Chunk, None], leash: Leash) -> AsyncGenerator[Chunk, None]:
    """`source`, each wait of which may be ended from outside."""
    while True:
        with leash:
            try:
                chunk = await anext(source)
            except StopAsyncIteration:
                return
        yield chunk


def _workers(view: FleetView, passage: Passage) -> tuple[str, ...]:
    """The machines that will work, where that is sure: of several instances exo's master picks."""
    ready = [p for p in view.placements_of(passage.model_id, passage.cluster) if p.is_ready]
    return tuple(ready[0].shares) if len(ready) == 1 else ()


def _bucket(request: ChatRequest) -> int:
    return prompt_bucket(estimate_prompt_tokens(request))
