"""`/history/` and `/nodes/<name>/`: how it has been, of several side by side or of one machine."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from msgspec.json import encode

from fleetweb.fleet import live
from fleetweb.fleet.models import Node

from ..cards.history import asked, book, history
from ..cards.history.asking import Asked
from ..cards.history.book import Book
from ..cards.history.machine import machine_facts
from ..cards.history.page import as_json, opened
from ..cards.history.recent import recent
from ..cards.history.records import as_csv


@never_cache
@require_safe
def history_page(request: HttpRequest) -> HttpResponse:
    """`/history/`: machines, models or providers side by side."""
    return _answer(request)


@never_cache
@require_safe
def node_page(request: HttpRequest, name: str) -> HttpResponse:
    """`/nodes/<name>/`: one machine, of which somebody has heard or which is configured."""
    return _answer(request, get_object_or_404(Node, name=name))


def _answer(request: HttpRequest, node: Node | None = None) -> HttpResponse:
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    question = asked(request.GET, now)
    name = node.name if node else None
    wanted, piece = request.GET.get("format", ""), request.GET.get("piece", "")
    if wanted in ("csv", "json"):
        return _download(question, name, wanted, now)
    if request.htmx:  # type: ignore[attr-defined]
        if piece == "table":
            return _table(request, book(question, now, name, compares=False), now)
        template = "history/_now.html" if piece == "now" else "history/_history.html"
        return HttpResponse(_told(template, question, name, now, request.path))
    context = {
        "told": _told("history/_history.html", question, name, now, request.path),
        "machine": machine_facts(node, live.seen(), now) if node else None,
    }
    return render(request, "history/page.html", context)


def _told(template: str, question: Asked, name: str | None, now: datetime, here: str) -> str:
    """The fragment, which is the same for everybody."""

    def found() -> str:
        card = history(book(question, now, name), now)
        return render_to_string(template, {"card": card, "here": here})

    return recent((template, name, question.key), question.window, found)


def _table(request: HttpRequest, found: Book, now: datetime) -> HttpResponse:
    """One table with its rows; 204, which changes nothing, where it is not there any more."""
    card = opened(found, now)
    if card is None:
        return HttpResponse(status=204)
    context = {"table": card, "is_live": found.window.is_live, "here": request.path}
    return render(request, "history/_table.html", context)


def _download(question: Asked, name: str | None, wanted: str, now: datetime) -> HttpResponse:
    """Everything that is shown, as a file."""

    def found() -> bytes:
        told = book(question, now, name, compares=False)
        return as_csv(told, now).encode() if wanted == "csv" else encode(as_json(told, now))

    body = recent((wanted, name, question.key), question.window, found)
    begin = slugify(f"{question.window.since.astimezone(now.tzinfo):%Y-%m-%d %H%M}")
    file = f"history-{slugify(name or question.by.value)}-{begin}.{wanted}"
    return HttpResponse(
        body,
        content_type="text/csv; charset=utf-8" if wanted == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )
