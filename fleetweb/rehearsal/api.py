"""exo's API at one node: which answer a request gets."""

import re
import time
from collections.abc import Awaitable, Callable

from .catalogue import CATALOGUE
from .chatting import cancel, chat
from .placing import (
    await_instance,
    cancel_download,
    create_instance,
    delete_download,
    delete_instance,
    get_instance,
    get_placement,
    get_previews,
    place_instance,
    start_download,
)
from .showing import show_part, show_state
from .validation import UnreadableError
from .wire import Exchange
from .world import Call

Endpoint = Callable[..., Awaitable[None]]

METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
HOME = b"<!doctype html><title>exo, as rehearsed</title>\n"


async def node_id(call: Call) -> None:
    """The id of whoever answers: nobody says who is master."""
    await call.reply(call.machine.id)


async def models(call: Call) -> None:
    created = int(time.time())
    listings = [card.listing(created) for card in CATALOGUE.values()]
    await call.reply({"object": "list", "data": listings})


async def home(call: Call) -> None:
    await call.exchange.reply(200, HOME, "text/html; charset=utf-8")


ROUTES: tuple[tuple[str, re.Pattern[str], Endpoint], ...] = tuple(
    (method, re.compile(pattern), endpoint)
    for method, pattern, endpoint in (
        ("GET", r"/", home),
        ("GET", r"/node_id", node_id),
        ("GET", r"/(?:v1/)?models", models),
        ("GET", r"/state", show_state),
        ("GET", r"/state/(.+)", show_part),
        ("POST", r"/v1/chat/completions", chat),
        ("POST", r"/v1/cancel/([^/]+)", cancel),
        ("POST", r"/place_instance", place_instance),
        ("POST", r"/instance", create_instance),
        ("GET", r"/instance/previews", get_previews),
        ("GET", r"/instance/placement", get_placement),
        ("GET", r"/instance/await", await_instance),
        ("GET", r"/instance/([^/]+)", get_instance),
        ("DELETE", r"/instance/([^/]+)", delete_instance),
        ("POST", r"/download/start", start_download),
        ("POST", r"/download/cancel", cancel_download),
        ("DELETE", r"/download/([^/]+)/(.+)", delete_download),
    )
)


async def answer(call: Call) -> None:
    """Route one request, as exo does: unread bodies are 422, unknown paths 404 or 405."""
    request = call.exchange.request
    for method, pattern, endpoint in ROUTES:
        found = pattern.fullmatch(request.path)
        if method == request.method and found:
            await _run(endpoint, call, found.groups())
            return
    if request.method == "OPTIONS" and "origin" in request.headers:
        await _preflight(call.exchange)
    elif request.method in ("GET", "HEAD"):
        await call.exchange.reply(404, {"detail": "Not Found"})
    else:
        await call.exchange.reply(405, {"detail": "Method Not Allowed"})


async def _run(endpoint: Endpoint, call: Call, named: tuple[str, ...]) -> None:
    if call.exchange.request.method != "GET":
        await call.world.membership.is_settled.wait()
    try:
        await endpoint(call, *named)
    except UnreadableError as unreadable:
        await call.exchange.reply(422, {"detail": unreadable.details})


async def _preflight(exchange: Exchange) -> None:
    """exo lets every page of every origin do everything."""
    headers = {
        "vary": "Origin",
        "access-control-allow-methods": METHODS,
        "access-control-max-age": "600",
        "access-control-allow-credentials": "true",
        "access-control-allow-origin": exchange.request.headers["origin"],
    }
    if wanted := exchange.request.headers.get("access-control-request-headers"):
        headers["access-control-allow-headers"] = wanted
    await exchange.reply(200, b"OK", "text/plain; charset=utf-8", headers)
