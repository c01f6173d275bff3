"""The providers that stand in when the fleet can't answer: each only if its owner configured it."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing

from django.utils import timezone

from fleetweb.core.balancing import fell_back
from fleetweb.core.chat import Chunk
from fleetweb.core.naming import Alias, stand_in
from fleetweb.core.streams import Stage
from fleetweb.errors import FleetError, ProviderError, ProviderUnavailable
from fleetweb.upstream.providers import Provider

from .fleet_route import leashed
from .leash import Leash
from .measures import Attempt
from .passage import Passage
from .router import ModelRouter


class Outside:
    """Sends requests to providers that are not the fleet."""

    def __init__(
        self, providers: Mapping[str, Provider], aliases: tuple[Alias, ...], router: ModelRouter
    ) -> None:
        self.providers = providers
        self._aliases = aliases
        self._router = router

    def model_at(self, kind: str, name: str) -> str | None:
        """What `kind` would answer with in place of `name`; None where its owner named nothing."""
        return stand_in(name, kind, self._aliases) or self.providers[kind].default_model

    async def chunks(
        self, kind: str, passage: Passage, leash: Leash, failures: Iterable[FleetError]
    ) -> AsyncGenerator[Chunk, None]:
        """The answer of one of them; `failures` are why it is asked. Raises ProviderError."""
        model = self._prepare(kind, passage, failures)
        provider = self.providers[kind]
        began_s, began_at = passage.elapsed_s, timezone.now()
        error: str | None = None
        source = provider.stream(passage.request, model)
        try:
            async with self._router.attempt(("", kind), passage), aclosing(source):
                async for chunk in leashed(source, leash):
                    passage.has_spoken = passage.has_spoken or chunk.has_output
                    passage.model_id = chunk.model or passage.model_id
                    yield chunk
        except ProviderError as caught:
            error = str(caught)
            raise
        finally:
            took_ms = (passage.elapsed_s - began_s) * 1000
            passage.attempts.append(
                Attempt(kind, model, provider.name, None, began_at, took_ms, error)
            )

    def _prepare(self, kind: str, passage: Passage, failures: Iterable[FleetError]) -> str:
        name = passage.request.model
        model = self.model_at(kind, name)
        if model is None:
            raise ProviderUnavailable(f"{kind} has no model configured to stand in for {name}.")
        if not self._router.admits(("", kind)):
            raise ProviderUnavailable(f"{kind} is left in peace after failing repeatedly.")
        because = " ".join(str(failure) for failure in failures)
        candidates = passage.route.candidates if passage.route else ()
        passage.route = fell_back(kind, self.providers[kind].name, because, candidates)
        passage.provider, passage.model_id = kind, model
        passage.cluster = passage.node = passage.command_id = None
        passage.admitted()
        passage.enter(Stage.READING)
        return model
