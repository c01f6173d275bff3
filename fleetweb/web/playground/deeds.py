"""What is done with runs: asked, ended, asked again, forgotten; their followers are told."""

from typing import Final

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from fleetweb.fleet import worker
from fleetweb.gateway.running import gateway

from ..models import PlaygroundAnswer, PlaygroundRun
from . import shelf
from .asking import request_of
from .runs import runs
from .shelf import Asked
from .telling import group_of

STOPPED_WITHIN_S: Final = 5.0


async def begin(user: User, run: PlaygroundRun | None, asked: Asked) -> list[PlaygroundAnswer]:
    """Ask every target. Raises InvalidRequest, with nothing begun."""
    bodies = await database_sync_to_async(shelf.bodies)(run, asked)
    name = user.get_username()
    requests = [request_of(body) for body in bodies]
    passages = [
        gateway().begin(one, target.caller(name))
        for one, target in zip(requests, asked.targets, strict=True)
    ]
    ids = [passage.id for passage in passages]
    keep = database_sync_to_async(shelf.begin)
    answers: list[PlaygroundAnswer] = await keep(user, run, asked, ids, timezone.now())
    for answer, passage in zip(answers, passages, strict=True):
        runs().start(answer.turn.run_id, answer.pk, passage)
    await changed(answers[0].turn.run_id)
    return answers


async def stop(request_ids: list[str]) -> None:
    """Close their connections, wherever they are answered."""
    for request_id in request_ids:
        await gateway().desk.cancel(request_id)


async def stop_run(user: User, run_id: str) -> None:
    await stop(await database_sync_to_async(shelf.in_hand)(user, [run_id]))


async def retry(answer: PlaygroundAnswer, user: User) -> None:
    """Ask the same once more, in its place; nothing happens while it goes on."""
    if not answer.is_over:
        return
    body = await database_sync_to_async(shelf.body_for)(answer)
    caller = shelf.target_of(answer).caller(user.get_username())
    passage = gateway().begin(request_of(body), caller)
    await database_sync_to_async(shelf.begin_again)(answer, passage.id, timezone.now())
    runs().start(answer.turn.run_id, answer.pk, passage)
    await changed(answer.turn.run_id)


async def forget(user: User, chosen: list[str] | None) -> None:
    """Delete those of `user`'s runs that are chosen, or all of them, with every text of theirs."""
    run_ids = await database_sync_to_async(shelf.own_ids)(user, chosen)
    under_way = await database_sync_to_async(shelf.in_hand)(user, run_ids)
    await stop(under_way)
    await runs().over(under_way, STOPPED_WITHIN_S)
    keys = await database_sync_to_async(shelf.kept_keys)(run_ids)
    await database_sync_to_async(shelf.forget)(user, run_ids)
    await cache.adelete_many(keys)
    for run_id in run_ids:
        await changed(run_id)


async def changed(run_id: str) -> None:
    """Tell those who follow that turns have come or gone."""
    await worker.layer().group_send(group_of(run_id), {"type": "run.changed"})
