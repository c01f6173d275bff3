"""Where a request goes: what has been learned, put before the strategies of `core.balancing`."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from django.utils import timezone

from fleetweb.core.balancing import BalanceState, LoadBalanceStrategy, RouteResult, choose
from fleetweb.core.breaker import CircuitBreaker
from fleetweb.core.candidates import Door
from fleetweb.core.latency import PeakEwma
from fleetweb.core.words import short_model
from fleetweb.errors import NoCandidate, ProviderError
from fleetweb.fleet.topology import topology

from .passage import Passage
from .turns import Turns
from .view import FleetView, Learned, Pace

GIB = 2**30


class ModelRouter:
    """Chooses cluster and door, and learns from what came of it. One for each process."""

    def __init__(self) -> None:
        self._state = BalanceState()
        self._ttft_ms: dict[Pace, PeakEwma] = {}
        self._load_ms: dict[str, PeakEwma] = {}
        self._breakers: dict[Door, CircuitBreaker] = {}
        self.turns = Turns()

    def route(
        self,
        view: FleetView,
        model_id: str,
        bucket: int,
        strategy: LoadBalanceStrategy,
        sizes: dict[str, int],
        *,
        may_load: bool,
        without: Collection[Door] = (),
        dry: bool = False,
    ) -> RouteResult:
        """The place for a request. Raises NoCandidate. A dry run leaves no trace."""
        now = timezone.now()
        learned = Learned(self._ttft_ms, self._load_ms, self._breakers, self.turns.waiting)
        candidates = view.candidates(model_id, bucket, learned, sizes, now, without=without)
        try:
            result, state = choose(
                strategy, candidates, self._state, model=model_id, may_load=may_load
            )
        except NoCandidate as error:
            raise _told_in_figures(error, view, model_id, sizes) from error
        if not dry:
            self._state = state
        return result

    @asynccontextmanager
    async def attempt(self, door: Door, passage: Passage) -> AsyncIterator[None]:
        """One try at one door: whatever comes of it is learned from."""
        began_s = passage.elapsed_s
        self._breakers[door] = self._breaker(door).sent(timezone.now())
        try:
            yield
        except ProviderError as error:
            self._failed(door, error, passage, began_s)
            raise
        except BaseException:
            self._breakers[door] = self._breaker(door).abandoned()
            raise
        else:
            self._breakers[door] = self._breaker(door).succeeded(timezone.now())
            self._record(passage, began_s, success=True)

    def release(self, door: Door) -> None:
        """A request that was routed to `door` is over there."""
        self._state = self._state.released(door)

    def admits(self, door: Door) -> bool:
        return self._breaker(door).admits(timezone.now())

    def learn_ttft(self, cluster: str, model_id: str, bucket: int, ttft_ms: float) -> None:
        pace = (cluster, model_id, bucket)
        known = self._ttft_ms.get(pace, PeakEwma())
        self._ttft_ms[pace] = known.observe(ttft_ms, timezone.now())

    def learn_load(self, model_id: str, load_ms: float) -> None:
        known = self._load_ms.get(model_id, PeakEwma())
        self._load_ms[model_id] = known.observe(load_ms, timezone.now())

    def _failed(self, door: Door, error: ProviderError, passage: Passage, began_s: float) -> None:
        """A caller's own mistake says nothing against the door that pointed it out."""
        now = timezone.now()
        if error.retryable:
            self._breakers[door] = self._breaker(door).failed(now, error.retry_after_s)
            self._record(passage, began_s, success=False)
        else:
            self._breakers[door] = self._breaker(door).succeeded(now)

    def _record(self, passage: Passage, began_s: float, *, success: bool) -> None:
        if passage.node:
            took_ms = (passage.elapsed_s - began_s) * 1000
            topology.record_request(passage.node, took_ms, success)

    def _breaker(self, door: Door) -> CircuitBreaker:
        return self._breakers.get(door, CircuitBreaker())


def _told_in_figures(
    error: NoCandidate, view: FleetView, model_id: str, sizes: dict[str, int]
) -> NoCandidate:
    """Where it is room that is missing, how much: what it needs and what there is."""
    size = sizes.get(model_id)
    clusters = [cluster.name for cluster in view.clusters]
    if size is None or not clusters or any(view.fits(name, size) for name in clusters):
        return error
    free = max(view.free_bytes(name) for name in clusters)
    return NoCandidate(
        f"{short_model(model_id)} needs about {size / GIB:.0f} GB and the fleet has "
        f"{free / GIB:.0f} GB free. Unload another model, or ask for a smaller one."
    )
