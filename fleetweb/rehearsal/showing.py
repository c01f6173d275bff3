"""`GET /state` and its parts, whole or spoilt."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from .faults import FaultKind
from .machine import View
from .state import encode
from .wire import Exchange
from .world import Call

HUGE_BYTES = 50_000_000
_PIECE = b"x" * 1_000_000

HTML = b"<!doctype html><title>Sign in to the network</title><p>Please sign in.</p>\n"


async def show_state(call: Call) -> None:
    """The whole state, 97 % of it the catalogue."""
    spoilt = call.world.mischief.spoilt_state(call.machine.name)
    if spoilt is FaultKind.STATE_ERROR:
        await call.server_error()
    elif spoilt is not None:
        await _SPOILT[spoilt](call.exchange, _body(call))
    else:
        await call.reply(_body(call))


async def show_part(call: Call, path: str) -> None:
    """One branch of the state, named by keys and indices."""
    try:
        part = _walk(_document(call), path)
    except (KeyError, IndexError, ValueError, TypeError):
        message = f"unable to find path '{path}' in state json"
        await call.refuse(HTTPStatus.NOT_FOUND, message)
    else:
        await call.reply(part)


def _walk(document: Any, path: str) -> Any:
    for step in filter(None, path.split("/")):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _frozen(call: Call) -> bytes | None:
    """What everybody is shown while no master moves the state."""
    return call.world.membership.frozen if call.machine.view is View.SHARED else None


def _body(call: Call) -> bytes:
    return _frozen(call) or call.world.membership.shown_by(call.machine).render()


def _document(call: Call) -> Any:
    if (frozen := _frozen(call)) is not None:
        return json.loads(frozen)
    return call.world.membership.shown_by(call.machine).document()


async def _malformed(exchange: Exchange, body: bytes) -> None:
    await exchange.reply(200, body[: len(body) // 2])


async def _truncated(exchange: Exchange, body: bytes) -> None:
    """Half of what was announced, then end of file."""
    head = {"content-length": str(len(body)), "content-type": "application/json"}
    await exchange.begin(200, head)
    await exchange.send(body[: len(body) // 2])
    exchange.cut()


async def _huge(exchange: Exchange, body: bytes) -> None:
    """A true state with 50 MB of something in it, sent in pieces."""
    before, after = body[:-1] + b',"padding":"', b'"}'
    length = len(before) + HUGE_BYTES + len(after)
    await exchange.begin(200, {"content-length": str(length), "content-type": "application/json"})
    await exchange.send(before)
    for _ in range(HUGE_BYTES // len(_PIECE)):
        await exchange.send(_PIECE)
    await exchange.send(after)


async def _strange(exchange: Exchange, body: bytes) -> None:
    """A state from a later exo: variants, fields and keys that nobody knows yet."""
    state = json.loads(body)
    state["runners"]["a-later-runner"] = {"RunnerMeditating": {"breaths": 3}}
    state["tasks"]["a-later-task"] = {"VideoGeneration": {"taskId": "a-later-task", "frames": 24}}
    state["instances"]["a-later-instance"] = {
        "TinygradInstance": {"instanceId": "a-later-instance"}
    }
    state["nodeMoods"] = dict.fromkeys(state["topology"]["nodes"], "calm")
    await exchange.reply(200, encode(state))


async def _html(exchange: Exchange, _: bytes) -> None:
    await exchange.reply(200, HTML, "text/html; charset=utf-8")


async def _redirects(exchange: Exchange, _: bytes) -> None:
    await exchange.reply(307, b"", "text/plain; charset=utf-8", {"location": "/sign-in"})


_SPOILT: dict[FaultKind, Callable[[Exchange, bytes], Awaitable[None]]] = {
    FaultKind.STATE_MALFORMED: _malformed,
    FaultKind.STATE_TRUNCATED: _truncated,
    FaultKind.STATE_HUGE: _huge,
    FaultKind.STATE_STRANGE: _strange,
    FaultKind.STATE_HTML: _html,
    FaultKind.STATE_REDIRECTS: _redirects,
}
