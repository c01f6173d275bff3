"""The playground's rows: begun, written while they grow, read back as cards, forgotten.

Each function is one piece of work for the database, to be called off the event loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.core.words import preview
from fleetweb.gateway import cache
from fleetweb.gateway.caller import Reach

from ..models import (
    TITLE_CHARS,
    PlaygroundAnswer,
    PlaygroundRun,
    PlaygroundTurn,
    forget_text,
)
from .asking import Target, body_of, request_of
from .standing import Standing, stored


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as its form gave it. `branch` is the run and the turn it is an edition of."""

    prompt: str
    system: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    targets: tuple[Target, ...] = (Target(),)
    branch: tuple[str, int] | None = None


def target_of(answer: PlaygroundAnswer) -> Target:
    strategy = LoadBalanceStrategy(answer.strategy) if answer.strategy else None
    return Target(answer.model, strategy, Reach(answer.reach), answer.afresh)


def body_for(answer: PlaygroundAnswer) -> dict[str, Any]:
    """The body of the request that `answer` answers: its column's conversation up to it."""
    turn = answer.turn
    past = past_of(turn.run, answer.column, before=turn.number)
    return body_of(answer.model, turn.run.system, past, turn.prompt, turn.params)


def past_of(run: PlaygroundRun, column: int, *, before: int) -> list[tuple[str, str]]:
    """The earlier turns as one column knows them; one that is new to it takes over the first's."""
    past = []
    for turn in run.turns.filter(number__lt=before).prefetch_related("answers"):
        texts = {answer.column: answer.text for answer in turn.answers.all()}
        past.append((turn.prompt, texts.get(column, texts.get(0, ""))))
    return past


def own_run(user: User, run_id: str) -> PlaygroundRun | None:
    return PlaygroundRun.objects.of(user).filter(pk=run_id).first()


def own_answer(user: User, answer_id: int) -> PlaygroundAnswer | None:
    answers = PlaygroundAnswer.objects.select_related("turn__run")
    return answers.filter(turn__run__user=user, pk=answer_id).first()


def bodies(run: PlaygroundRun | None, asked: Asked) -> list[dict[str, Any]]:
    """What would be sent to each target, in their order, with nothing kept."""
    source, before = run, None
    if asked.branch is not None:
        source = PlaygroundRun.objects.filter(pk=asked.branch[0]).first()
        before = asked.branch[1]
    system = run.system if run else asked.system
    last = 1 << 30 if before is None else before
    return [
        body_of(
            target.model,
            system,
            past_of(source, column, before=last) if source else [],
            asked.prompt,
            asked.params,
        )
        for column, target in enumerate(asked.targets)
    ]


@transaction.atomic
def begin(
    user: User, run: PlaygroundRun | None, asked: Asked, request_ids: Sequence[str], now: datetime
) -> list[PlaygroundAnswer]:
    """A further turn of `run`, or the first of a new one; its answers, empty as yet."""
    if run is None:
        run = _new_run(user, asked, now)
    number = (run.turns.aggregate(last=Max("number"))["last"] or 0) + 1
    turn = PlaygroundTurn.objects.create(
        run=run, number=number, prompt=asked.prompt, params=asked.params, asked_at=now
    )
    run.updated_at = now
    run.save(update_fields=["updated_at"])
    return [
        PlaygroundAnswer.objects.create(
            turn=turn,
            column=column,
            model=target.model,
            strategy=target.strategy.value if target.strategy else "",
            reach=target.reach.value,
            afresh=target.afresh,
            request_id=request_id,
            seen_at=now,
        )
        for column, (target, request_id) in enumerate(zip(asked.targets, request_ids, strict=True))
    ]


def _new_run(user: User, asked: Asked, now: datetime) -> PlaygroundRun:
    source = own_run(user, asked.branch[0]) if asked.branch else None
    run = PlaygroundRun.objects.create(
        user=user,
        title=(preview(asked.prompt) or "A prompt")[:TITLE_CHARS],
        system=asked.system,
        branched_from=source,
        created_at=now,
        updated_at=now,
    )
    if source and asked.branch:
        _copy_turns(source, run, before=asked.branch[1])
    return run


def _copy_turns(source: PlaygroundRun, run: PlaygroundRun, *, before: int) -> None:
    """The turns that a branch shares, as its own: deleting one of the two leaves the other."""
    for turn in source.turns.filter(number__lt=before).prefetch_related("answers"):
        answers = list(turn.answers.all())
        turn.pk, turn.run = None, run
        turn.save(force_insert=True)
        for answer in answers:
            answer.pk, answer.turn = None, turn
            answer.save(force_insert=True)


@transaction.atomic
def begin_again(answer: PlaygroundAnswer, request_id: str, now: datetime) -> None:
    """The same once more, in the same place; what had been said is gone."""
    forget_text(answer.request_id)
    answer.request_id, answer.seen_at = request_id, now
    answer.status = PlaygroundAnswer._meta.get_field("status").default
    answer.thinking = answer.text = ""
    answer.standing = {}
    answer.save()


def write(answer_id: int, request_id: str, standing: Standing, **texts: str) -> bool:
    """As far as it has come; False where it has been deleted, or asked again since."""
    row = PlaygroundAnswer.objects.filter(pk=answer_id, request_id=request_id)
    status = standing.outcome.value
    kept = stored(standing)
    return row.update(status=status, standing=kept, seen_at=timezone.now(), **texts) == 1


def forget_answer(request_id: str) -> None:
    """What the gateway wrote of one whose row was gone before it ended."""
    if not PlaygroundAnswer.objects.filter(request_id=request_id).exists():
        forget_text(request_id)


def kept_keys(run_ids: Sequence[str]) -> list[str]:
    """Under which names the gateway's cache may hold answers of these runs."""
    answers = PlaygroundAnswer.objects.filter(turn__run__in=run_ids).select_related("turn__run")
    keys = (
        cache.key_of(request_of(body_for(answer)), target_of(answer).caller(""))
        for answer in answers
    )
    return [key for key in keys if key]


def forget(user: User, run_ids: Sequence[str]) -> int:
    return PlaygroundRun.objects.of(user).filter(pk__in=run_ids).forget()


def in_hand(user: User, run_ids: Sequence[str]) -> list[str]:
    """The requests of these runs that are not over."""
    answers = PlaygroundAnswer.objects.open().filter(turn__run__in=run_ids, turn__run__user=user)
    return list(answers.values_list("request_id", flat=True))


def boxes_of(run: PlaygroundRun, number: int) -> dict[str, Any]:
    """What a turn was asked with, as the composer's boxes; {} where there is no such turn."""
    turn = run.turns.filter(number=number).first()
    if turn is None:
        return {}
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


def boxes_after(run: PlaygroundRun) -> dict[str, Any]:
    """The targets and parameters of the last turn, for the next one."""
    turn = run.turns.order_by("-number").first()
    return {} if turn is None else {**boxes_of(run, turn.number), "prompt": ""}


def own_ids(user: User, run_ids: list[str] | None) -> list[str]:
    """Those of `run_ids` that are theirs, or all of theirs."""
    own = PlaygroundRun.objects.of(user)
    chosen = own if run_ids is None else own.filter(pk__in=run_ids)
    return list(chosen.values_list("pk", flat=True))
