"""What the playground keeps for whoever asked there: texts, until they delete them."""

import secrets
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from fleetweb.core.streams import Outcome
from fleetweb.gateway.models import RequestMetric, RequestText

TITLE_CHARS = 120


def new_run_id() -> str:
    return secrets.token_hex(8)


class PlaygroundRunQuerySet(models.QuerySet["PlaygroundRun"]):
    def of(self, user: User) -> Self:
        """Their own: not even the owner reads what others asked here."""
        return self.filter(user=user)

    def mentioning(self, words: str) -> Self:
        """Those in which every word of `words` stands, whoever said it."""
        found = self
        for word in words.split():
            said = (
                models.Q(title__icontains=word)
                | models.Q(turns__prompt__icontains=word)
                | models.Q(turns__answers__text__icontains=word)
            )
            found = found.filter(pk__in=PlaygroundRun.objects.filter(said).values("pk"))
        return found

    def forget(self) -> int:
        """Delete these and every text of theirs, those of the gateway as well; how many."""
        runs = list(self.values_list("pk", flat=True))
        answers = PlaygroundAnswer.objects.filter(turn__run__in=runs)
        RequestText.objects.filter(request_id__in=answers.values("request_id")).delete()
        PlaygroundRun.objects.filter(pk__in=runs).delete()
        return len(runs)


class PlaygroundRun(models.Model):
    """A conversation: turns that follow each other, each answered by up to four side by side."""

    id = models.CharField(max_length=16, primary_key=True, default=new_run_id)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="playground_runs")
    title = models.CharField(max_length=TITLE_CHARS)
    system = models.TextField(blank=True)
    branched_from = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = PlaygroundRunQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at",)
        indexes = (models.Index(fields=("user", "-updated_at")),)

    def __str__(self) -> str:
        return f"{self.id}: {self.title}"


class PlaygroundTurn(models.Model):
    """What was asked, and with which parameters."""

    run = models.ForeignKey(PlaygroundRun, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    prompt = models.TextField()
    params = models.JSONField(default=dict)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=("run", "number"), name="one_turn_a_number"),)

    def __str__(self) -> str:
        return f"turn {self.number} of {self.run_id}"


class PlaygroundAnswerQuerySet(models.QuerySet["PlaygroundAnswer"]):
    def open(self) -> Self:
        return self.filter(status__in=RequestMetric.OPEN)

    def interrupt_lost(self, now: datetime) -> int:
        """Mark those that nobody writes any more, because their process is gone; how many."""
        gone = RequestMetric.objects.filter(status=Outcome.INTERRUPTED.value)
        lost = models.Q(seen_at__lt=now - PlaygroundAnswer.LOST_AFTER) | models.Q(
            request_id__in=gone.values("pk")
        )
        return self.open().filter(lost).update(status=Outcome.INTERRUPTED.value)


class PlaygroundAnswer(models.Model):
    """One answer, as far as it has come. It is written about once a second while it grows.

    `standing` is what is shown beside the text, as `playground.standing.Standing`; `seen_at` is
    when the process that runs it last wrote it.
    """

    LOST_AFTER: ClassVar = timedelta(seconds=10)

    turn = models.ForeignKey(PlaygroundTurn, on_delete=models.CASCADE, related_name="answers")
    column = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=200)
    strategy = models.CharField(max_length=20, blank=True)
    reach = models.CharField(max_length=5)
    afresh = models.BooleanField(default=False)
    request_id = models.CharField(max_length=40, db_index=True)
    status = models.CharField(max_length=11, default=Outcome.WAITING.value)
    thinking = models.TextField(blank=True)
    text = models.TextField(blank=True)
    standing = models.JSONField(default=dict)
    seen_at = models.DateTimeField(default=timezone.now)

    objects = PlaygroundAnswerQuerySet.as_manager()

    class Meta:
        ordering = ("column",)
        constraints = (
            models.UniqueConstraint(fields=("turn", "column"), name="one_answer_a_column"),
        )

    def __str__(self) -> str:
        return f"column {self.column} of {self.turn}"

    @property
    def is_over(self) -> bool:
        return self.status not in RequestMetric.OPEN


def forget_text(request_id: str) -> None:
    """What the gateway kept of a request; that it was asked stays in its history."""
    RequestText.objects.filter(request_id=request_id).delete()
