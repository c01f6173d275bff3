"""The control room as it was, and the same for programs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..access.owner import is_owner
from ..fragments import page_context
from ..replay.clock import asked_for
from ..replay.moment import look_back, moment_card, room_card


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
