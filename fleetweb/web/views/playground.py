"""The playground's pages and forms. Each form works by itself; with htmx nothing is reloaded."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from channels.db import database_sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fleetweb.errors import FleetError
from fleetweb.fleet import live
from fleetweb.gateway.running import gateway

from ..cards.moments import moment
from ..models import PlaygroundAnswer, PlaygroundRun
from ..playground import deeds, shelf
from ..playground.forms import Composer, model_choices
from ..playground.own import own_run, user_of
from ..playground.past import past_card
from ..playground.routes import planned
from ..playground.run_card import RunCard, run_card, turns_html
from ..playground.runs import runs
from ..playground.telling import exchanged, filled
from ..v1.models import every_model

UNPROCESSABLE: Final = 422
# How long a browser without scripts waits for the answer before it is shown what there is.
ANSWERED_WITHIN_S: Final = 25.0

_aside = partial(database_sync_to_async, thread_sensitive=False)


@require_http_methods(["GET", "HEAD", "POST"])
async def playground(request: HttpRequest) -> HttpResponse:
    """`/playground/`: a new run, and the past ones; POST asks."""
    return await _asking(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
async def run_page(request: HttpRequest, run_id: str) -> HttpResponse:
    """`/playground/<run>/`: a run as it is now; POST asks a further turn."""
    return await _asking(request, await own_run(request, run_id))


@require_safe
async def branch(request: HttpRequest, run_id: str, number: int) -> HttpResponse:
    """`/playground/<run>/branch/<turn>/`: the same up to a turn, which is asked otherwise."""
    run = await own_run(request, run_id)
    initial = await database_sync_to_async(shelf.boxes_of)(run, number)
    if not initial:
        raise Http404
    return await _page(request, await _composer(initial=initial), branch=(run.pk, number))


@require_POST
async def route(request: HttpRequest) -> HttpResponse:
    """`POST /playground/route/`: where the prompt would go, and why, with nothing sent."""
    form = await _composer(request.POST)
    run_id = request.POST.get("run")
    run = await own_run(request, run_id) if run_id else None
    data = request.POST.copy()
    data["prompt"] = data.get("prompt") or "?"  # a route is known before there is a prompt
    probe = await _composer(data)
    routes: tuple[Any, ...] = ()
    if probe.is_valid():
        asked = probe.asked(await _branch_of(request))
        bodies = await database_sync_to_async(shelf.bodies)(run, asked)
        user = await user_of(request)
        routes = await planned(user.get_username(), asked.targets, bodies)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "playground/_routes.html", {"routes": routes})
    return await _page(request, form, run, branch=await _branch_of(request), routes=routes)


async def _asking(request: HttpRequest, run: PlaygroundRun | None) -> HttpResponse:
    if request.method != "POST":
        initial = await database_sync_to_async(shelf.boxes_after)(run) if run else {}
        return await _page(request, await _composer(initial=initial), run)
    form = await _composer(request.POST)
    branch_of = await _branch_of(request)
    if not form.is_valid():
        return await _page(request, form, run, branch=branch_of, status=UNPROCESSABLE)
    try:
        answers = await deeds.begin(await user_of(request), run, form.asked(branch_of))
    except FleetError as error:
        form.add_error("prompt", str(error))
        return await _page(request, form, run, branch=branch_of, status=UNPROCESSABLE)
    return await _begun(request, run, answers)


async def _begun(
    request: HttpRequest, run: PlaygroundRun | None, answers: list[PlaygroundAnswer]
) -> HttpResponse:
    """With scripts the page follows at once; without them it comes when there is an answer."""
    run_id = answers[0].turn.run_id
    if not request.htmx:  # type: ignore[attr-defined]
        await database_sync_to_async(lambda: None)()  # gives the connection back before the wait
        await runs().over([answer.request_id for answer in answers], ANSWERED_WITHIN_S)
        return redirect("playground-run", run_id)
    if run is None:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = reverse("playground-run", args=[run_id])
        return response
    card = await _aside(run_card)(run, timezone.localtime())
    initial = await database_sync_to_async(shelf.boxes_after)(run)
    context = {"form": await _composer(initial=initial), "run": card}
    composer = render_to_string("playground/_composer.html", context, request)
    turns = await _aside(turns_html)(run_id, card.turns)
    return HttpResponse(filled("turns", turns) + exchanged("composer", composer))


async def _page(
    request: HttpRequest,
    form: Composer,
    run: PlaygroundRun | None = None,
    *,
    branch: tuple[str, int] | None = None,
    routes: tuple[Any, ...] = (),
    status: int = 200,
) -> HttpResponse:
    now = timezone.localtime()
    gateway()  # it finds out which processes are gone
    user = await user_of(request)
    search, before = request.GET.get("q", "").strip(), request.GET.get("before")
    presence = await live.current()
    context = {
        "form": form,
        "run": await _aside(run_card)(run, now) if run else None,
        "shared": await _shared(branch),
        "branch": branch,
        "routes": routes,
        "past": await database_sync_to_async(past_card)(user, search, before, now),
        "at": moment(now, now),
        "rehearsal": presence is not None and presence.rehearsal,
    }
    if request.htmx and request.method == "POST":  # type: ignore[attr-defined]
        composer = render_to_string("playground/_composer.html", context, request)
        return HttpResponse(exchanged("composer", composer), status=status)
    return render(request, "playground/page.html", context, status=status)


async def _shared(branch: tuple[str, int] | None) -> RunCard | None:
    """The turns that a branch begins with."""
    if branch is None:
        return None
    card: RunCard = await _aside(_shared_turns)(*branch)
    return card


def _shared_turns(run_id: str, before: int) -> RunCard:
    card = run_card(PlaygroundRun.objects.get(pk=run_id), timezone.localtime())
    return replace(card, turns=tuple(turn for turn in card.turns if turn.number < before))


async def _composer(data: Any = None, initial: dict[str, Any] | None = None) -> Composer:
    models = model_choices((await every_model())["data"])
    return Composer(models, data, initial=initial or {})


async def _branch_of(request: HttpRequest) -> tuple[str, int] | None:
    """The turn that the form is an edition of, None where it is of none. Raises Http404."""
    run_id, _, number = request.POST.get("branch", "").partition(":")
    if not run_id or not number.isdecimal():
        return None
    run = await own_run(request, run_id)
    return run.pk, int(number)
