"""The playground's pages and forms. Each form works by itself; with htmx nothing is reloaded."""

from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.core.cache import cache
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
from ..playground import shelf
from ..playground.asking import request_of
from ..playground.forms import Composer, model_choices
from ..playground.past import past_card
from ..playground.routes import planned
from ..playground.run_card import RunCard, run_card, turns_html
from ..playground.runs import runs
from ..playground.shelf import Asked
from ..playground.snippets import snippets
from ..playground.telling import exchanged, filled, group_of
from ..v1.models import every_model

UNPROCESSABLE: Final = 422
# How long a browser without scripts waits for the answer before it is shown what there is.
ANSWERED_WITHIN_S: Final = 25.0
STOPPED_WITHIN_S: Final = 5.0

_aside = partial(database_sync_to_async, thread_sensitive=False)


@require_http_methods(["GET", "HEAD", "POST"])
async def playground(request: HttpRequest) -> HttpResponse:
    """`/playground/`: a new run, and the past ones; POST asks."""
    return await _asking(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
async def run_page(request: HttpRequest, run_id: str) -> HttpResponse:
    """`/playground/<run>/`: a run as it is now; POST asks a further turn."""
    return await _asking(request, await _own_run(request, run_id))


@require_safe
async def branch(request: HttpRequest, run_id: str, number: int) -> HttpResponse:
    """`/playground/<run>/branch/<turn>/`: the same up to a turn, which is asked otherwise."""
    run = await _own_run(request, run_id)
    initial = await database_sync_to_async(_again)(run, number)
    return await _page(request, await _composer(initial=initial), branch=(run.pk, number))


@require_POST
async def route(request: HttpRequest) -> HttpResponse:
    """`POST /playground/route/`: where the prompt would go, and why, with nothing sent."""
    form = await _composer(request.POST)
    run_id = request.POST.get("run")
    run = await _own_run(request, run_id) if run_id else None
    data = request.POST.copy()
    data["prompt"] = data.get("prompt") or "?"  # a route is known before there is a prompt
    probe = await _composer(data)
    routes: tuple[Any, ...] = ()
    if probe.is_valid():
        asked = probe.asked(await _branch_of(request))
        bodies = await database_sync_to_async(shelf.bodies)(run, asked)
        user = await _user(request)
        routes = await planned(user.get_username(), asked.targets, bodies)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "playground/_routes.html", {"routes": routes})
    return await _page(request, form, run, branch=await _branch_of(request), routes=routes)


@require_POST
async def stop(request: HttpRequest, run_id: str) -> HttpResponse:
    """`POST /playground/<run>/stop/`: close the connections of what is under way."""
    run = await _own_run(request, run_id)
    user = await _user(request)
    await _stop(await database_sync_to_async(shelf.in_hand)(user, [run.pk]))
    return _done(request, run.pk)


@require_POST
async def delete(request: HttpRequest) -> HttpResponse:
    """`POST /playground/delete/`: forget the runs that are named, or every one of them."""
    user = await _user(request)
    chosen = None if "all" in request.POST else request.POST.getlist("run")
    run_ids = await database_sync_to_async(_chosen)(user, chosen)
    under_way = await database_sync_to_async(shelf.in_hand)(user, run_ids)
    await _stop(under_way)
    await runs().over(under_way, STOPPED_WITHIN_S)
    keys = await database_sync_to_async(shelf.kept_keys)(run_ids)
    await database_sync_to_async(shelf.forget)(user, run_ids)
    await cache.adelete_many(keys)
    for run_id in run_ids:
        await _changed(run_id)
    return redirect("playground")


@require_POST
async def answer_stop(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`POST /playground/answers/<id>/stop/`: end one of those side by side."""
    answer = await _own_answer(request, answer_id)
    await _stop([answer.request_id])
    return _done(request, answer.turn.run_id)


@require_POST
async def answer_retry(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`POST /playground/answers/<id>/retry/`: ask the same once more, in its place."""
    answer = await _own_answer(request, answer_id)
    if answer.is_over:
        target = shelf.target_of(answer)
        body = await database_sync_to_async(shelf.body_for)(answer)
        name = (await _user(request)).get_username()
        passage = gateway().begin(request_of(body), target.caller(name))
        await database_sync_to_async(shelf.begin_again)(answer, passage.id, timezone.now())
        runs().start(answer.turn.run_id, answer.pk, passage)
        await _changed(answer.turn.run_id)
    return _done(request, answer.turn.run_id)


@require_safe
async def answer_code(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`/playground/answers/<id>/code/`: the same request as curl, Python and JavaScript."""
    answer = await _own_answer(request, answer_id)
    body = await database_sync_to_async(shelf.body_for)(answer)
    headers = shelf.target_of(answer).headers()
    made = snippets(request.build_absolute_uri("/v1"), body, headers)
    template = "playground/_code.html" if request.htmx else "playground/code.html"  # type: ignore[attr-defined]
    return render(request, template, {"snippets": made, "run_id": answer.turn.run_id})


async def _asking(request: HttpRequest, run: PlaygroundRun | None) -> HttpResponse:
    if request.method != "POST":
        initial = await database_sync_to_async(_as_before)(run) if run else {}
        return await _page(request, await _composer(initial=initial), run)
    form = await _composer(request.POST)
    branch_of = await _branch_of(request)
    if not form.is_valid():
        return await _page(request, form, run, branch=branch_of, status=UNPROCESSABLE)
    try:
        answers = await _begin(await _user(request), run, form.asked(branch_of))
    except FleetError as error:
        form.add_error("prompt", str(error))
        return await _page(request, form, run, branch=branch_of, status=UNPROCESSABLE)
    return await _begun(request, run, answers)


async def _begin(user: User, run: PlaygroundRun | None, asked: Asked) -> list[PlaygroundAnswer]:
    """Ask every target. Raises InvalidRequest, with nothing begun."""
    bodies = await database_sync_to_async(shelf.bodies)(run, asked)
    name = user.get_username()
    requests = [request_of(body) for body in bodies]
    passages = [
        gateway().begin(one, target.caller(name))
        for one, target in zip(requests, asked.targets, strict=True)
    ]
    ids = [passage.id for passage in passages]
    begin = database_sync_to_async(shelf.begin)
    answers: list[PlaygroundAnswer] = await begin(user, run, asked, ids, timezone.now())
    for answer, passage in zip(answers, passages, strict=True):
        runs().start(answer.turn.run_id, answer.pk, passage)
    await _changed(answers[0].turn.run_id)
    return answers


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
    initial = await database_sync_to_async(_as_before)(run)
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
    user = await _user(request)
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


def _as_before(run: PlaygroundRun) -> dict[str, Any]:
    """The targets and parameters of the last turn, for the next one."""
    turn = run.turns.order_by("-number").first()
    return {} if turn is None else {**_again(run, turn.number), "prompt": ""}


def _again(run: PlaygroundRun, number: int) -> dict[str, Any]:
    """What a turn was asked with, as the composer's boxes."""
    turn = run.turns.filter(number=number).first()
    if turn is None:
        raise Http404
    params = dict(turn.params)
    if "stop" in params:
        params["stop"] = "\n".join(params["stop"])
    boxes: dict[str, Any] = {"prompt": turn.prompt, "system": run.system, **params}
    for answer in turn.answers.all():
        boxes[f"model_{answer.column}"] = answer.model
        boxes[f"strategy_{answer.column}"] = answer.strategy
        boxes[f"reach_{answer.column}"] = answer.reach
        boxes["afresh"] = answer.afresh
    return boxes


def _chosen(user: User, run_ids: list[str] | None) -> list[str]:
    own = PlaygroundRun.objects.of(user)
    chosen = own if run_ids is None else own.filter(pk__in=run_ids)
    return list(chosen.values_list("pk", flat=True))


async def _branch_of(request: HttpRequest) -> tuple[str, int] | None:
    """The turn that the form is an edition of, None where it is of none. Raises Http404."""
    run_id, _, number = request.POST.get("branch", "").partition(":")
    if not run_id or not number.isdecimal():
        return None
    run = await _own_run(request, run_id)
    return run.pk, int(number)


async def _stop(request_ids: list[str]) -> None:
    for request_id in request_ids:
        await gateway().desk.cancel(request_id)


async def _changed(run_id: str) -> None:
    """Tell those who follow that turns have come or gone."""
    layer = get_channel_layer()
    await layer.group_send(group_of(run_id), {"type": "run.changed"})


def _done(request: HttpRequest, run_id: str) -> HttpResponse:
    """The socket shows what came of it; without scripts the page does."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("playground-run", run_id)


async def _user(request: HttpRequest) -> User:
    return cast(User, await request.auser())  # strangers have been turned away before


async def _own_run(request: HttpRequest, run_id: str) -> PlaygroundRun:
    find = database_sync_to_async(shelf.own_run)
    run: PlaygroundRun | None = await find(await _user(request), run_id)
    if run is None:
        raise Http404
    return run


async def _own_answer(request: HttpRequest, answer_id: int) -> PlaygroundAnswer:
    find = database_sync_to_async(shelf.own_answer)
    answer: PlaygroundAnswer | None = await find(await _user(request), answer_id)
    if answer is None:
        raise Http404
    return answer
