"""One past moment, with everything that its page shows."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fleetweb.fleet.past import Gap, Past, fleet_at
from fleetweb.gateway.past import RequestsAt, requests_at

from ..cards.holds import HoldCard
from ..cards.moments import Moment, moment
from ..cards.room import RoomCard, room
from .clock import address_of, after
from .events import BEFORE, EventCard, Events, cards, events_around, trouble_ahead
from .hour import HourCard, hour_of


@dataclass(frozen=True, slots=True)
class GapCard:
    """While nobody watched: `since` and `until` are None where nothing is known on that side."""

    since: Moment | None
    until: Moment | None
    until_address: str


@dataclass(frozen=True, slots=True)
class StepCard:
    """A way to another moment; `address` is "" where there is none."""

    word: str
    address: str


@dataclass(frozen=True, slots=True)
class MomentCard:
    """`trouble` is the moment that playing must not pass over, "" where there is none near."""

    at: Moment
    address: str
    local: str
    date: str
    time: str
    steps: tuple[StepCard, ...]
    hour: HourCard
    gap: GapCard | None
    before: tuple[EventCard, ...]
    after: tuple[EventCard, ...]
    trouble: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a moment, before it is drawn."""

    past: Past
    requests: RequestsAt
    events: Events


def look_back(at: datetime, *, owner: bool, caller: str) -> Seen:
    requests = requests_at(at)
    past = fleet_at(at, work=requests.work, streams=requests.streams, answered=requests.answered)
    return Seen(past, requests, events_around(requests, owner=owner, caller=caller))


def room_card(seen: Seen, at: datetime, *, owner: bool) -> RoomCard:
    """The room as it was. What was in hand then can't be ended now."""
    card = room(seen.past.presence, at, owner=owner)
    holds = replace(
        card.holds,
        waiting=_over(card.holds.waiting),
        in_thought=_over(card.holds.in_thought),
    )
    return replace(card, holds=holds, ribbon=replace(card.ribbon, axis=_axis(at)))


def _axis(at: datetime) -> tuple[str, ...]:
    """Times of the clock: in the past nothing is so many minutes ago."""
    return tuple(f"{at - timedelta(minutes=ago):%H:%M:%S}" for ago in (10, 5, 0))


def moment_card(seen: Seen, at: datetime, now: datetime) -> MomentCard:
    ahead = trouble_ahead(at, seen.events)
    return MomentCard(
        at=moment(at, now),
        address=address_of(at),
        local=f"{at:%Y-%m-%dT%H:%M:%S}",
        date=f"{at:%A}, {at.day} {at:%B %Y}",
        time=f"{at:%H:%M:%S}",
        steps=_steps(seen.events, at, now),
        hour=hour_of(at, now),
        gap=_gap(seen.past.gap, now) if seen.past.gap else None,
        before=cards(seen.events.before[:BEFORE], now),
        after=cards(seen.events.after, now),
        trouble=address_of(ahead) if ahead else "",
    )


def _gap(gap: Gap, now: datetime) -> GapCard:
    return GapCard(
        since=moment(gap.since, now) if gap.since else None,
        until=moment(gap.until, now) if gap.until else None,
        until_address=address_of(after(gap.until)) if gap.until else "",
    )


def _steps(events: Events, at: datetime, now: datetime) -> tuple[StepCard, ...]:
    earlier, later = events.previous_at(at), events.next_at
    return (
        StepCard("Event before", address_of(earlier) if earlier else ""),
        _step("1 min back", at - timedelta(minutes=1), now),
        _step("10 s back", at - timedelta(seconds=10), now),
        _step("10 s on", at + timedelta(seconds=10), now),
        _step("1 min on", at + timedelta(minutes=1), now),
        StepCard("Next event", address_of(later) if later and later <= after(now) else ""),
    )


def _step(word: str, to: datetime, now: datetime) -> StepCard:
    return StepCard(word, address_of(to) if to <= now else "")


def _over(hold: HoldCard) -> HoldCard:
    return replace(hold, shown=tuple(replace(card, ends=False) for card in hold.shown))
