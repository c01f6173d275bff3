"""What is done with answers of the playground: ended, asked again, forgotten, had as code."""

from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from ..playground import deeds, shelf
from ..playground.own import own_answer, own_run, user_of
from ..playground.snippets import snippets


@require_POST
async def stop(request: HttpRequest, run_id: str) -> HttpResponse:
    """`POST /playground/<run>/stop/`: close the connections of what is under way."""
    run = await own_run(request, run_id)
    await deeds.stop_run(await user_of(request), run.pk)
    return _done(request, run.pk)


@require_POST
async def delete(request: HttpRequest) -> HttpResponse:
    """`POST /playground/delete/`: forget the runs that are named, or every one of them."""
    chosen = None if "all" in request.POST else request.POST.getlist("run")
    await deeds.forget(await user_of(request), chosen)
    return redirect("playground")


@require_POST
async def answer_stop(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`POST /playground/answers/<id>/stop/`: end one of those side by side."""
    answer = await own_answer(request, answer_id)
    await deeds.stop([answer.request_id])
    return _done(request, answer.turn.run_id)


@require_POST
async def answer_retry(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`POST /playground/answers/<id>/retry/`: ask the same once more, in its place."""
    answer = await own_answer(request, answer_id)
    await deeds.retry(answer, await user_of(request))
    return _done(request, answer.turn.run_id)


@require_safe
async def answer_code(request: HttpRequest, answer_id: int) -> HttpResponse:
    """`/playground/answers/<id>/code/`: the same request as curl, Python and JavaScript."""
    answer = await own_answer(request, answer_id)
    body = await database_sync_to_async(shelf.body_for)(answer)
    headers = shelf.target_of(answer).headers()
    made = snippets(request.build_absolute_uri("/v1"), body, headers)
    template = "playground/_code.html" if request.htmx else "playground/code.html"  # type: ignore[attr-defined]
    return render(request, template, {"snippets": made, "run_id": answer.turn.run_id})


def _done(request: HttpRequest, run_id: str) -> HttpResponse:
    """The socket shows what came of it; without scripts the page does."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("playground-run", run_id)
