"""What is asked for, by whom; no middleware stands between a token and its reader."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from fleetweb.core.openai import error_body
from fleetweb.errors import FleetError

from ..access.refusals import NOT_SIGNED_IN
from ..access.sockets import App, LockedOutError, Receive, Scope, Send
from .callers import Identity, who
from .chat import chat
from .exchange import CallerLeftError, Exchange
from .models import every_model, one_model

ROOT: Final = "/v1"
MODELS: Final = "/v1/models"
CHAT: Final = "/v1/chat/completions"

logger = logging.getLogger(__name__)

Handler = Callable[[Exchange, Identity], Awaitable[None]]


def beside(pages: Callable[..., Awaitable[None]]) -> App:
    """`pages`, but for what is under `/v1`."""

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["path"] == ROOT or scope["path"].startswith(f"{ROOT}/")
        await (application if is_ours else pages)(scope, receive, send)

    return by_path


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    exchange = Exchange(scope, receive, send)
    try:
        await _serve(exchange)
    except CallerLeftError:
        return
    except LockedOutError as error:
        await _refuse_for_now(exchange, error)
    except FleetError as error:
        await exchange.refuse(error)
    except Exception:
        logger.exception("A request to %s failed.", scope["path"])
        await exchange.fail()


async def _serve(exchange: Exchange) -> None:
    identity = await who(exchange.scope, exchange.headers)
    if identity is None:
        await _refuse_stranger(exchange)
        return
    methods = _methods(exchange.scope["path"])
    allow = ", ".join([*methods, "OPTIONS"])
    if not methods:
        await _refuse(exchange, 404, f"There is no {exchange.scope['path'][:200]} here.")
    elif exchange.method == "OPTIONS":
        await exchange.reply(204, None, {"allow": allow})
    elif exchange.method not in methods:
        message = f"{exchange.method} is not possible here; use {' or '.join(methods)}."
        await _refuse(exchange, 405, message, {"allow": allow})
    else:
        await methods[exchange.method](exchange, identity)


def _methods(path: str) -> dict[str, Handler]:
    """What can be done with a path, nothing with one that is unknown."""
    if path == CHAT:
        return {"POST": chat}
    if path == MODELS or path.startswith(f"{MODELS}/"):
        return {"GET": _models, "HEAD": _models}
    return {}


async def _models(exchange: Exchange, identity: Identity) -> None:  # noqa: ARG001  a Handler
    name = exchange.scope["path"].removeprefix(MODELS).removeprefix("/")
    await exchange.reply(200, await (one_model(name) if name else every_model()))


async def _refuse_stranger(exchange: Exchange) -> None:
    body = error_body(NOT_SIGNED_IN, "authentication_error", code="invalid_token")
    await exchange.reply(401, body, {"www-authenticate": "Bearer"})


async def _refuse_for_now(exchange: Exchange, error: LockedOutError) -> None:
    body = error_body(str(error), "rate_limit_error", code="too_many_attempts")
    await exchange.reply(429, body, {"retry-after": str(error.wait_s)})


async def _refuse(
    exchange: Exchange, status: int, message: str, headers: dict[str, str] | None = None
) -> None:
    await exchange.reply(status, error_body(message, "invalid_request_error"), headers)
