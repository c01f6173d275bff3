"""What happened around a moment, in order: machines turned, requests came, moved on and ended."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from fleetweb.core import words
from fleetweb.core.presence import NEEDS_OWNER, CognitiveState
from fleetweb.core.streams import Outcome
from fleetweb.fleet.models import PresenceSpan
from fleetweb.gateway.models import RequestMetric
from fleetweb.gateway.past import RequestsAt, attempts_of, over_at

from ..cards.holds import OUTCOMES
from ..cards.looks import LOOKS, Look, Tone
from ..cards.moments import Moment, moment
from .clock import address_of, after

BEFORE: Final = 8
AFTER: Final = 4
# Playing fast lands on trouble instead of passing over it.
NOT_PASSED_OVER: Final = timedelta(minutes=1)
_MOVED_ON: Final = Look("Tried in vain", "unplug", Tone.HURT)
_OVER: Final = Look("Over", "check", Tone.AWAY)
_ASKED: Final = Look("Asked", "pen-line", Tone.REST)


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    look: Look
    who: str
    said: str
    request: str = ""  # its id


@dataclass(frozen=True, slots=True)
class EventCard:
    at: Moment
    address: str
    look: Look
    who: str
    said: str
    request: str


@dataclass(frozen=True, slots=True)
class Events:
    """`before` newest first, up to and with the moment itself; `after` in order."""

    before: tuple[Event, ...]
    after: tuple[Event, ...]

    @property
    def next_at(self) -> datetime | None:
        return after(self.after[0].at) if self.after else None

    def previous_at(self, at: datetime) -> datetime | None:
        """The latest second before `at` at which something could be seen to have happened."""
        return next((seen for e in self.before if (seen := after(e.at)) < at), None)


def events_around(requests: RequestsAt, *, owner: bool, caller: str) -> Events:
    """Three queries. Others than the owner are told of their own requests only."""
    at = requests.at
    turns = PresenceSpan.objects.select_related("node")
    earlier = turns.filter(started_at__lte=at).order_by("-started_at")[: 2 * BEFORE]
    later = turns.filter(started_at__gt=at).order_by("started_at")[:AFTER]
    later_asked = RequestMetric.objects.filter(asked_at__gt=at).select_related("routing")
    coming = later_asked.order_by("asked_at")[:AFTER]
    asked = [*requests.in_hand, *requests.ended, *coming]
    own = [metric for metric in asked if owner or (metric.caller == caller and not metric.key_id)]
    found = [*map(_turn, [*earlier, *later]), *_of_requests(own)]
    found.sort(key=lambda event: event.at)
    return Events(
        before=tuple(reversed([event for event in found if event.at <= at]))[: 2 * BEFORE],
        after=tuple([event for event in found if event.at > at][:AFTER]),
    )


def trouble_ahead(at: datetime, events: Events) -> datetime | None:
    """When, within a minute, a machine next needs its owner or a request moves on; None if none."""
    until = at + NOT_PASSED_OVER
    turns = PresenceSpan.objects.filter(started_at__gt=at, started_at__lte=until)
    hurt = turns.filter(state__in=[state.value for state in NEEDS_OWNER]).order_by("started_at")
    moved = [event.at for event in events.after if event.look is _MOVED_ON and event.at <= until]
    found = [*hurt.values_list("started_at", flat=True)[:1], *moved]
    return after(min(found)) if found else None


def cards(events: Iterable[Event], now: datetime) -> tuple[EventCard, ...]:
    return tuple(
        EventCard(
            at=moment(event.at, now),
            address=address_of(after(event.at)),
            look=event.look,
            who=event.who,
            said=event.said,
            request=event.request,
        )
        for event in events
    )


def _turn(span: PresenceSpan) -> Event:
    return Event(span.started_at, LOOKS[CognitiveState(span.state)], span.node.name, span.sentence)


def _of_requests(metrics: Sequence[RequestMetric]) -> Iterator[Event]:
    for metric in metrics:
        asked_for = words.short_model(metric.model_asked)
        yield Event(metric.asked_at, _ASKED, "", f"A request for {asked_for} came.", metric.pk)
        yield from _failovers(metric)
        if metric.ended_at:
            look = OUTCOMES.get(Outcome(metric.status), _OVER)
            yield Event(metric.ended_at, look, "", _ended(metric), metric.pk)


def _failovers(metric: RequestMetric) -> Iterator[Event]:
    """Attempts that failed, and who was asked after them."""
    attempts = attempts_of(metric)
    for attempt, then in pairwise(attempts):
        if attempt.error is not None:
            said = (
                f"A request for {words.short_model(attempt.model)} was moved from "
                f"{attempt.node or attempt.provider} to {then.node or then.provider}."
            )
            yield Event(over_at(attempt), _MOVED_ON, "", said, metric.pk)


def _ended(metric: RequestMetric) -> str:
    model = words.short_model(metric.model or metric.model_asked)
    by = "memory" if metric.cached else metric.node or metric.provider
    if metric.status == Outcome.OK:
        return f"{model} answered{f' from {by}' if by else ''}."
    return f"The request for {model} {_ENDS.get(metric.status, 'ended')}."


_ENDS: Final = {
    Outcome.FAILED.value: "failed",
    Outcome.CANCELLED.value: "was cancelled",
    Outcome.REFUSED.value: "was refused",
    Outcome.INTERRUPTED.value: "was interrupted",
}
