"""Requests as they stood at a past moment, from their rows.

A row holds when each phase ended, so the phase at any second is exact. How many tokens had come by
then was not written down, and is not said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db.models import Q, QuerySet

from fleetweb.core.presence import Work
from fleetweb.core.streams import SENT, Answered, Outcome, Stage, Stream

from .measures import Attempt
from .models import RequestMetric

# So many of the newest are looked through: more than can be in hand at once.
IN_HAND_AMONG: Final = 1000
ENDED_AMONG: Final = 300
ENDED: Final = 12
EXO: Final = "exo"


@dataclass(frozen=True, slots=True)
class RequestsAt:
    """`in_hand` oldest first, `ended` newest first."""

    at: datetime
    in_hand: tuple[RequestMetric, ...]
    ended: tuple[RequestMetric, ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        return tuple(_stream(metric, self.at) for metric in self.in_hand)

    @property
    def work(self) -> tuple[Work, ...]:
        """What machines worked on, where that was sure."""
        return tuple(
            _work(metric)
            for metric, stream in zip(self.in_hand, self.streams, strict=True)
            if stream.stage in SENT and metric.nodes and stream.node == (metric.node or None)
        )

    @property
    def answered(self) -> tuple[Answered, ...]:
        return tuple(_answered(metric) for metric in self.ended)


def requests_at(at: datetime) -> RequestsAt:
    """Two queries, whatever there is."""
    in_hand = _newest(at, IN_HAND_AMONG).filter(Q(ended_at=None) | Q(ended_at__gt=at))
    ended = _newest(at, ENDED_AMONG).filter(ended_at__lte=at).order_by("-ended_at")
    return RequestsAt(at, tuple(reversed(in_hand.order_by("-asked_at"))), tuple(ended[:ENDED]))


def attempts_of(metric: RequestMetric) -> list[Attempt]:
    """In the order in which they were made; none where nothing was sent anywhere."""
    routing = getattr(metric, "routing", None)
    return msgspec.convert(routing.attempts, list[Attempt]) if routing else []


def over_at(attempt: Attempt) -> datetime:
    return attempt.at + timedelta(milliseconds=attempt.took_ms)


def _newest(at: datetime, count: int) -> QuerySet[RequestMetric]:
    """The `count` that were asked last, as of `at`."""
    asked = RequestMetric.objects.filter(asked_at__lte=at).order_by("-asked_at").values("pk")
    rows = RequestMetric.objects.filter(pk__in=asked[:count])
    return rows.select_related("routing").defer("routing__candidates", "routing__reason")


def _stream(metric: RequestMetric, at: datetime) -> Stream:
    stage, since = _stage(metric, at)
    attempts = [attempt for attempt in attempts_of(metric) if attempt.at <= at]
    then = attempts[-1] if attempts else None
    sent = then if stage in SENT else None
    return Stream(
        id=metric.pk,
        caller=metric.caller,
        stage=stage,
        asked_at=metric.asked_at,
        stage_since=since,
        model_id=(sent.model if sent else metric.model) or metric.model_asked,
        provider=(sent.provider if sent else metric.provider) or EXO,
        cluster=metric.cluster or None,
        node=(sent.node if sent else metric.node) or None,
        command_id=metric.pk,
    )


def _stage(metric: RequestMetric, at: datetime) -> tuple[Stage, datetime]:
    """How far it was, and since when."""
    reached = (Stage.WAITING, metric.asked_at)
    for stage, began_at in _milestones(metric):
        if began_at is not None and began_at <= at:
            reached = (stage, began_at)
    return reached


def _milestones(metric: RequestMetric) -> Sequence[tuple[Stage, datetime | None]]:
    """When each phase began, None for one that never did. A model is loaded before the first try
    and never for another; `waited_ms` counts up to the last."""
    loading = timedelta(milliseconds=metric.loading_ms or 0.0)
    attempts = attempts_of(metric)
    admitted_at = _after(metric, metric.waited_ms)
    sent_at = attempts[0].at if attempts else admitted_at and admitted_at + loading
    return (
        (Stage.LOADING, sent_at - loading if sent_at and loading else None),
        (Stage.READING, sent_at),
        (Stage.THINKING, _after(metric, metric.ttft_ms)),
        (Stage.ANSWERING, _after(metric, metric.answering_at_ms)),
    )


def _after(metric: RequestMetric, ms: float | None) -> datetime | None:
    return None if ms is None else metric.asked_at + timedelta(milliseconds=ms)


def _work(metric: RequestMetric) -> Work:
    return Work(
        id=metric.pk,
        cluster=metric.cluster,
        instance_id=f"{metric.cluster} {metric.model}",
        nodes=tuple(metric.nodes),
        started_at=metric.asked_at,
        command_id=metric.pk,
        model_id=metric.model,
    )


def _answered(metric: RequestMetric) -> Answered:
    return Answered(
        id=metric.pk,
        caller=metric.caller,
        outcome=Outcome(metric.status),
        asked_at=metric.asked_at,
        ended_at=metric.ended_at or metric.asked_at,
        model_id=metric.model or metric.model_asked,
        provider=metric.provider or None,
        node=metric.node or None,
        cached=metric.cached,
        ttft_ms=metric.ttft_ms,
        latency_ms=metric.latency_ms,
        completion_tokens=metric.completion_tokens,
        tokens_per_s=metric.tokens_per_s,
        cost_usd=None if metric.cost_usd is None else str(metric.cost_usd),
    )
