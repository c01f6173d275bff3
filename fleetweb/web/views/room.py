"""The control room."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from fleetweb.core.inference import nobody_yet
from fleetweb.fleet import live

from ..access.owner import is_owner
from ..cards import room
from ..fragments import page_context


async def room_page(request: HttpRequest) -> HttpResponse:
    """`/`: the fleet as it is now; the socket takes over from here."""
    now = timezone.localtime()
    presence = await live.current() or nobody_yet(now)
    card = room(presence, now, owner=is_owner(await request.auser()))
    return render(request, "room/page.html", page_context(card))
