"""The control room as it was, and the same for programs."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleetweb.core.streams import Answered, Stream
from fleetweb.fleet.topology import ClusterTopologyService

from ..access.owner import is_owner
from ..access.refusals import error
from ..fragments import page_context
from ..replay.clock import asked_for
from ..replay.events import Event
from ..replay.moment import Seen, look_back, moment_card, room_card
from .api import presence_body


@never_cache
@require_safe
def replay_page(request: HttpRequest) -> HttpResponse:
    """`/replay/?at=`: any moment that is known; with htmx the pieces that change."""
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    asked = asked_for(request.GET.get("at", ""), now)
    owner = is_owner(request.user)
    seen = look_back(asked.at, owner=owner, caller=request.user.get_username())
    card = moment_card(seen, asked.at, now)
    context = page_context(room_card(seen, asked.at, owner=owner)) | {
        "card": card,
        "said": asked.wrong,
        "owner": owner,
        "link": request.build_absolute_uri(f"{request.path}?at={card.address}"),
    }
    template = "replay/_moment.html" if request.htmx else "replay/page.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@never_cache
@require_safe
def replay_api(request: HttpRequest) -> HttpResponse:
    """`GET /api/replay?at=`: what `/api/presence` would have told, with the requests of then."""
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    asked = asked_for(request.GET.get("at", ""), now)
    if asked.wrong:
        message = "`at` wants a time that is not to come, such as 2026-11-23T14:30:00Z."
        return error(400, message, "invalid_request_error", "bad_at")
    owner = is_owner(request.user)
    seen = look_back(asked.at, owner=owner, caller=request.user.get_username())
    body = msgspec.json.encode(_told(seen, owner=owner))
    return HttpResponse(body, content_type="application/json")


def _told(seen: Seen, *, owner: bool) -> dict[str, Any]:
    """`watched` is false where nobody looked: then there are no machines, and `gap` says when."""
    presence, events = seen.past.presence, seen.events
    # A topology of its own: how requests go now says nothing of how machines were then.
    status = ClusterTopologyService().status_of(presence.nodes)
    return presence_body(presence, status) | {
        "watched": seen.past.gap is None,
        "gap": seen.past.gap,
        "in_hand": [_request(stream, owner) for stream in presence.streams],
        "answered": [_request(answer, owner) for answer in presence.answered],
        "events": [_event(event) for event in (*reversed(events.before), *events.after)],
        "previous_at": events.previous_at(presence.at),
        "next_at": events.next_at,
    }


def _event(event: Event) -> dict[str, Any]:
    told = {"at": event.at, "word": event.look.word, "sentence": event.said}
    named = {"node": event.who, "request": event.request}
    return told | {name: value for name, value in named.items() if value}


def _request(request: Stream | Answered, owner: bool) -> dict[str, Any]:
    """What is known of it; whose it is, for the owner alone."""
    told: dict[str, Any] = msgspec.to_builtins(request)
    if not owner:
        del told["caller"]
    return {name: value for name, value in told.items() if value is not None}
