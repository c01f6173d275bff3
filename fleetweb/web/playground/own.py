"""Whose it is: to everybody else it is not there."""

from typing import cast

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest

from ..models import PlaygroundAnswer, PlaygroundRun
from . import shelf


async def user_of(request: HttpRequest) -> User:
    return cast(User, await request.auser())  # strangers have been turned away before


async def own_run(request: HttpRequest, run_id: str) -> PlaygroundRun:
    """Raises Http404."""
    find = database_sync_to_async(shelf.own_run)
    run: PlaygroundRun | None = await find(await user_of(request), run_id)
    if run is None:
        raise Http404
    return run


async def own_answer(request: HttpRequest, answer_id: int) -> PlaygroundAnswer:
    """Raises Http404."""
    find = database_sync_to_async(shelf.own_answer)
    answer: PlaygroundAnswer | None = await find(await user_of(request), answer_id)
    if answer is None:
        raise Http404
    return answer
