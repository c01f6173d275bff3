"""Looking back at requests: all that match, and one with everything that is known of it."""

from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleetweb.gateway.models import RequestMetric
from fleetweb.gateway.search import Page

from ..access.owner import is_owner
from ..cards.moments import moment
from ..requests.cards import detail_card, request_cards
from ..requests.forms import SearchForm, place_of

PAGE_SIZE = 40


@never_cache
@require_safe
def requests_page(request: HttpRequest) -> HttpResponse:
    """`/requests/`: those that match the filters of the address, newest first.

    With htmx it is the piece that changes, `requests/_requests.html`. Others than the owner find
    their own requests only.
    """
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    form = SearchForm(request.GET, cast(User, request.user))
    search, place = form.search, place_of(request.GET)
    page = search.page(PAGE_SIZE, place.before) if search else Page()
    context = {
        "form": form,
        "said": place.wrong,
        "found": request_cards(page.rows, now),
        "after": page.after,
        "looked_until": page.looked_until and moment(page.looked_until, now),
        "is_first": place.before is None,
        "owner": is_owner(request.user),
    }
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "requests/page.html", context)
    response = render(request, "requests/_requests.html", context)
    response["HX-Push-Url"] = _address(form, request.GET.get("before", ""))
    return response


@never_cache
@require_safe
def request_page(request: HttpRequest, request_id: str) -> HttpResponse:
    """`/requests/<id>/`: one request; for others than the owner only if it is theirs."""
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    rows = RequestMetric.objects.select_related("routing", "text", "key")
    owner = is_owner(request.user)
    if not owner:
        rows = rows.filter(caller=request.user.get_username(), key=None)
    metric = rows.filter(pk=request_id).first()
    if metric is None:
        raise Http404
    card = detail_card(metric, getattr(metric, "text", None), now)
    context = {"card": card, "owner": owner, "keeps_text": settings.FLEETWEB_KEEP_TEXT}
    return render(request, "requests/detail.html", context)


def _address(form: SearchForm, before: str) -> str:
    """The address of what is shown, without the boxes that were left empty."""
    query = "&".join(filter(None, (form.address, f"before={before}" if before else "")))
    return f"{reverse('requests')}?{query}" if query else reverse("requests")
