"""The gateway: cache, then the fleet, then whoever stands in; every request measured and kept."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from channels.db import database_sync_to_async
from django.utils import timezone

from fleetweb.core.balancing import LoadBalanceStrategy, RouteResult, fell_back
from fleetweb.core.chat import ChatRequest, Chunk, Collector, Completion, ToolCallDelta
from fleetweb.core.naming import Alias
from fleetweb.core.pricing import cost_usd
from fleetweb.core.streams import Outcome
from fleetweb.errors import AllFailed, FleetError, NoCandidate, ProviderError, RoutingError
from fleetweb.upstream.providers import Provider

from . import cache, limits
from .caller import Caller, Reach
from .desk import Cancelled, Desk
from .fleet_route import EXO, FleetRoute
from .flights import Flights
from .history import entry_of
from .leash import Leash
from .lifeline import Lifeline
from .models import RequestText
from .outside import Outside
from .passage import Passage
from .recorder import Recorder
from .router import ModelRouter
from .signals import request_ended

# A request that is over sooner is written down once; one that lasts, as soon as this.
NOTED_AFTER_S: Final = 0.05
# What is learned of an answer can wait until its last byte is out.
LEARNED_AFTER_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What the owner decided. `order` are provider kinds, the configured ones among them asked."""

    order: tuple[str, ...] = (EXO,)
    providers: dict[str, Provider] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()
    strategy: LoadBalanceStrategy = LoadBalanceStrategy.MODEL_AFFINITY
    load_on_demand: bool = True
    keep_text: bool = False


class Gateway:
    """Answers requests. One for each event loop; `close` ends what it runs besides."""

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.recorder = Recorder()
        self.desk = Desk(self.recorder.process)
        self.router = ModelRouter()
        self.fleet = FleetRoute(
            self.router,
            self.desk.passages.values,
            config.aliases,
            config.strategy,
            load_on_demand=config.load_on_demand,
        )
        self.outside = Outside(config.providers, config.aliases, self.router)
        self._lifeline = Lifeline(self.desk)
        self._flights = Flights()
        self._recalling: asyncio.Task[None] | None = None
        self.recorder.start()

    def begin(self, request: ChatRequest, caller: Caller) -> Passage:
        """A request that has come; `answer` takes it further."""
        return Passage(request, caller, self.desk.changed)

    async def answer(self, passage: Passage) -> AsyncGenerator[Chunk, None]:
        """The answer, in pieces. When it ends, with or without an error, it is in the history.

        Raises ProviderError or RoutingError; after the first token the failure is final.
        """
        leash = self.desk.enter(passage)
        self._lifeline.hold()
        if self._recalling is None:
            self._recalling = asyncio.create_task(self.fleet.experience.recall())
        said = Collector() if self._keeps_text(passage) else None
        someone_listens = True
        try:
            await self._write_down(passage)
            async with aclosing(self._chunks(passage, leash)) as chunks:
                async for chunk in chunks:
                    passage.heard(chunk)
                    if said is not None:
                        said.add(chunk)
                    yield chunk
        except FleetError as error:
            passage.ended(_outcome_of(error), str(error))
            raise
        except BaseException:
            someone_listens = False
            passage.ended(Outcome.CANCELLED, "The caller went away.")
            raise
        else:
            passage.ended(Outcome.OK)
        finally:
            written = self._conclude(passage, said)
            if someone_listens:
                await self.recorder.committed(written)

    async def plan(self, request: ChatRequest, caller: Caller) -> RouteResult:
        """Where a request would go, with nothing sent. Raises RoutingError."""
        try:
            return await self.fleet.plan(request, caller.strategy)
        except NoCandidate as error:
            for kind in self._kinds(caller):
                if kind != EXO and self.outside.model_at(kind, request.model):
                    return fell_back(kind, self.outside.providers[kind].name, str(error))
            raise

    async def close(self) -> None:
        if self._recalling is not None:
            self._recalling.cancel()
            await asyncio.gather(self._recalling, return_exceptions=True)
        await self._lifeline.close()
        await self.desk.close()
        await self.recorder.close()

    async def _write_down(self, passage: Passage) -> None:
        """That it has come. For a key with limits this is where they are held against it."""
        key_id = passage.caller.key_id
        if key_id is not None and passage.caller.has_limits:
            entry = entry_of(passage, self.recorder.process)
            enter = database_sync_to_async(limits.enter)
            await enter(entry.metric, key_id, timezone.now())
        else:
            asyncio.get_running_loop().call_later(NOTED_AFTER_S, self._note, passage)

    def _note(self, passage: Passage) -> None:
        """That it is in hand, unless it is over by now."""
        if passage.ended_at is None:
            self.recorder.note(entry_of(passage, self.recorder.process))

    def _conclude(self, passage: Passage, said: Collector | None) -> asyncio.Future[None]:
        """Write down how it went, which is done with the future."""
        usage = passage.measures.usage
        if usage is not None or passage.outcome is Outcome.OK:
            paid = EXO if passage.cached else passage.provider  # an answer is paid for once
            passage.cost_usd = cost_usd(paid, passage.model_id, usage, at=passage.asked_at)
        entry = entry_of(passage, self.recorder.process, _text_of(passage, said))
        written = self.recorder.write(entry)
        self.desk.leave(passage)
        asyncio.get_running_loop().call_later(LEARNED_AFTER_S, self._learn, passage)
        return written

    def _learn(self, passage: Passage) -> None:
        request_ended.send(sender=Gateway, passage=passage)
        if passage.outcome is Outcome.OK:
            self.fleet.learn(passage)

    def _keeps_text(self, passage: Passage) -> bool:
        return self.config.keep_text or passage.caller.keeps_text

    async def _chunks(self, passage: Passage, leash: Leash) -> AsyncGenerator[Chunk, None]:
        key = cache.key_of(passage.request, passage.caller)
        if key is None:
            source = self._fresh(passage, leash)
        elif kept := await cache.get(key):
            source = _again(passage, *kept)
        else:
            source = self._flights.share(
                key, passage, leash, lambda: self._kept(key, passage, leash)
            )
        async with aclosing(source):
            async for chunk in source:
                yield chunk

    async def _kept(self, key: str, passage: Passage, leash: Leash) -> AsyncGenerator[Chunk, None]:
        """A fresh answer, kept for the next one who asks the same."""
        said = Collector()
        async with aclosing(self._fresh(passage, leash)) as chunks:
            async for chunk in chunks:
                said.add(chunk)
                yield chunk
        await cache.put(key, passage.provider, passage.model_id, said.completion())

    async def _fresh(self, passage: Passage, leash: Leash) -> AsyncGenerator[Chunk, None]:
        """From the first provider that answers, in the owner's order."""
        failures: list[FleetError] = []
        for kind in self._kinds(passage.caller):
            try:
                async with aclosing(self._from(kind, passage, leash, failures)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except (ProviderError, RoutingError) as error:
                if passage.has_spoken or not _could_be_cured(error):
                    raise
                failures.append(error)
        raise _all_failed(failures)

    def _from(
        self, kind: str, passage: Passage, leash: Leash, failures: Iterable[FleetError]
    ) -> AsyncGenerator[Chunk, None]:
        if kind == EXO:
            return self.fleet.chunks(passage, leash)
        leash.renew()
        return self.outside.chunks(kind, passage, leash, tuple(failures))

    def _kinds(self, caller: Caller) -> list[str]:
        """Whom to ask, in order: those that are configured and that the caller allows."""
        providers = self.config.providers
        return [
            kind
            for kind in self.config.order
            if kind == EXO
            or (
                kind in providers
                and caller.reach is not Reach.NONE
                and not (caller.stays_in_house and providers[kind].leaves_house)
            )
        ]


async def _again(
    passage: Passage, provider: str, model_id: str, completion: Completion
) -> AsyncGenerator[Chunk, None]:
    """A kept answer, told once more."""
    passage.cached = True
    passage.provider, passage.model_id = provider, model_id
    passage.admitted()
    if completion.reasoning:
        yield Chunk(reasoning=completion.reasoning)
    calls = tuple(
        ToolCallDelta(index, call.id, call.name, call.arguments, call.extra)
        for index, call in enumerate(completion.tool_calls)
    )
    yield Chunk(
        content=completion.content,
        tool_calls=calls,
        logprobs=completion.logprobs,
        finish_reason=completion.finish_reason,
        usage=completion.usage,
        model=completion.model,
    )


def _could_be_cured(error: FleetError) -> bool:
    """Whether another provider might answer what this one did not."""
    return error.retryable if isinstance(error, ProviderError) else True


def _all_failed(failures: list[FleetError]) -> FleetError:
    if not failures:
        return NoCandidate("No provider is configured that may answer this request.")
    if len(failures) == 1:
        return failures[0]
    told = " ".join(str(failure) for failure in failures)
    attempts = tuple(failure for failure in failures if isinstance(failure, ProviderError))
    return AllFailed(told, attempts)


def _outcome_of(error: FleetError) -> Outcome:
    if isinstance(error, Cancelled):
        return Outcome.CANCELLED
    refused = isinstance(error, ProviderError) and (not error.retryable or error.status == 429)
    return Outcome.REFUSED if refused else Outcome.FAILED


def _text_of(passage: Passage, said: Collector | None) -> RequestText | None:
    if said is None:
        return None
    completion = said.completion()
    return RequestText(
        request_id=passage.id,
        messages=list(passage.request.messages),
        reasoning=completion.reasoning,
        answer=completion.content,
    )
