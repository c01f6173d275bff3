"""`POST /v1/chat/completions` and `/v1/cancel`: exo's stream, event by event."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from .asking import Ask, ask_from
from .engine import Engine
from .faults import Fault, FaultKind
from .generation import Closed, Failed, Job, Piece, Said, Stats, Token
from .state import encode
from .telling import Teller
from .validation import check_chat
from .wire import Exchange
from .world import Call, World

KEEP_ALIVE_S = 10.0
STREAM_HEAD = {
    "cache-control": "no-cache",
    "connection": "close",
    "x-accel-buffering": "no",
    "content-type": "text/event-stream; charset=utf-8",
}
KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Talk:
    """One request being answered at one door."""

    world: World
    exchange: Exchange
    engine: Engine
    job: Job
    broken: Fault | None
    teller: Teller
    tokens_sent: int = 0

    @property
    def breaks_now(self) -> bool:
        return self.broken is not None and self.tokens_sent >= self.broken.after_tokens

    def leave(self) -> None:
        """The caller hung up, or is sent away."""
        self.engine.caller_left(self.job)


async def chat(call: Call) -> None:
    """A completion, streamed or not; a model that is not placed is not found."""
    body = call.body()
    check_chat(body)
    ask = ask_from(body)
    engine = call.world.cluster.engine_for(ask.model)
    if engine is None:
        named = ask.model or call.world.new_id()
        await call.refuse(HTTPStatus.NOT_FOUND, f"No instance found for model {named}")
    else:
        await _talk(_begin(call, engine, ask))


def _begin(call: Call, engine: Engine, ask: Ask) -> Talk:
    mischief = call.world.mischief
    job = call.world.cluster.ask(engine, ask, mischief.manner_for(ask.model))
    teller = Teller(job, call.world.cluster.stage.rng)
    broken = mischief.break_for(ask.model)
    return Talk(call.world, call.exchange, engine, job, broken, teller)


async def _talk(talk: Talk) -> None:
    def hung_up(_: object) -> None:
        talk.job.pieces.put_nowait(Closed())

    talk.exchange.gone.add_done_callback(hung_up)
    try:
        await (_stream(talk) if talk.job.ask.stream else _collect(talk))
    except asyncio.CancelledError:
        talk.job.orphaned = True  # this door died: generation runs on, and its task stays
        raise
    except ConnectionError:
        talk.leave()
        raise
    finally:
        talk.exchange.gone.remove_done_callback(hung_up)


async def cancel(call: Call, command_id: str) -> None:
    """Ends the stream; the runner goes on."""
    found = call.world.cluster.find(command_id)
    if found is None:
        await call.refuse(HTTPStatus.NOT_FOUND, "Command not found or already completed")
        return
    engine, job = found
    engine.batch.mute(job)
    await call.reply({"message": "Command cancelled.", "command_id": command_id})


async def _stream(talk: Talk) -> None:
    """exo's events in their order; how it ends depends on what comes, and on mischief."""
    await talk.exchange.begin(200, STREAM_HEAD)
    if talk.broken is None or talk.broken.kind is not FaultKind.EMPTY_ANSWER:
        await talk.exchange.send(KEEP_ALIVE)
        async for piece in _pieces(talk, KEEP_ALIVE_S):
            talk.tokens_sent += isinstance(piece, Token)
            await talk.exchange.send(KEEP_ALIVE if piece is None else talk.teller.event(piece))
            if isinstance(piece, Stats | Failed):
                await talk.exchange.send(DONE)
    await _part(talk)


async def _collect(talk: Talk) -> None:
    """Headers after milliseconds, the body at the end: empty where anything failed."""
    await talk.exchange.begin(200, {"content-type": "application/json"})
    said: list[Token] = []
    if talk.broken is None:
        async for piece in _pieces(talk, None):
            if isinstance(piece, Token):
                said.append(piece)
            elif isinstance(piece, Stats):
                await talk.exchange.send(encode(talk.teller.completion(said)))
    await _part(talk)


async def _part(talk: Talk) -> None:
    """End the answer; work that is not wanted any more is cancelled."""
    talk.leave()
    if talk.broken is not None and talk.broken.kind is FaultKind.STREAM_CUT:
        talk.exchange.cut()
    elif not talk.exchange.gone.done():
        await talk.exchange.finish()


async def _pieces(talk: Talk, patience_s: float | None) -> AsyncIterator[Said | None]:
    """What is told, to its end or the caller's; None each time nothing came for `patience_s`."""
    while not talk.breaks_now:
        piece = await _next_piece(talk, patience_s)
        if isinstance(piece, Closed) or talk.exchange.gone.done():
            return
        yield piece
        if isinstance(piece, Stats | Failed):
            return


async def _next_piece(talk: Talk, patience_s: float | None) -> Piece | None:
    """What comes next; None if nothing came for `patience_s`."""
    clock = talk.world.clock
    try:
        async with asyncio.timeout(None if patience_s is None else clock.real_s(patience_s)):
            return await talk.job.pieces.get()
    except TimeoutError:
        return None
