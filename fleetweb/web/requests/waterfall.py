"""What a request spent its time on, one thing after another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from fleetweb.core.streams import Outcome
from fleetweb.gateway.models import RequestMetric

from ..cards.figures import UNKNOWN, elapsed, svg
from ..cards.looks import Tone
from .tries import Try

WIDTH = 1000


class Phase(StrEnum):
    WAITING = "waiting"
    TRYING = "trying"  # somebody who did not answer
    LOADING = "loading"
    READING = "reading"
    THINKING = "thinking"
    ANSWERING = "answering"


WORDS: Mapping[Phase, str] = {
    Phase.WAITING: "Waiting",
    Phase.TRYING: "Tried in vain",
    Phase.LOADING: "Loading its model",
    Phase.READING: "Reading",
    Phase.THINKING: "Thinking",
    Phase.ANSWERING: "Answering",
}
_TONES: Mapping[Phase, Tone] = {
    Phase.WAITING: Tone.REST,
    Phase.TRYING: Tone.HURT,
    Phase.LOADING: Tone.STIRRING,
    Phase.READING: Tone.THINKING,
    Phase.THINKING: Tone.THINKING,
    Phase.ANSWERING: Tone.REST,
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One phase, in milliseconds since it was asked; `who` was at it, "" where that is plain."""

    phase: Phase
    start_ms: float
    end_ms: float
    who: str = ""

    @property
    def took_ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class LegCard:
    """`x` and `width` are of a drawing 1000 wide."""

    phase: Phase
    tone: Tone
    word: str
    who: str
    x: str
    width: str
    began: str
    took: str


@dataclass(frozen=True, slots=True)
class WaterfallCard:
    """`words` say what the drawing shows."""

    legs: tuple[LegCard, ...]
    total: str
    words: str


def waterfall(legs: Sequence[Leg], scale_ms: float) -> WaterfallCard:
    """`legs` on a line that is `scale_ms` long."""
    cards = tuple(_card(leg, max(scale_ms, 0.001)) for leg in legs)
    told = ", then ".join(f"{card.word.lower()} {card.took}" for card in cards)
    total = elapsed(legs[-1].end_ms) if legs else UNKNOWN
    return WaterfallCard(cards, total, f"{told}.".capitalize() if told else "Nothing measured.")


def _card(leg: Leg, scale_ms: float) -> LegCard:
    return LegCard(
        phase=leg.phase,
        tone=_TONES[leg.phase],
        word=WORDS[leg.phase],
        who=leg.who,
        x=svg(WIDTH * leg.start_ms / scale_ms),
        # What is short is still there.
        width=svg(max(2.0, WIDTH * leg.took_ms / scale_ms)),
        began=elapsed(leg.start_ms),
        took=elapsed(leg.took_ms),
    )


def legs_of(metric: RequestMetric, tries: Sequence[Try], now: datetime) -> tuple[Leg, ...]:
    """The phases of a request in their order, up to `now` for one that is in hand."""
    end_ms = _end_ms(metric, now)
    if metric.cached:
        return (Leg(Phase.ANSWERING, 0.0, end_ms, "from memory"),)
    found = (*_before(metric, tries, end_ms), *_spoken(metric, end_ms))
    return tuple(_inside(found, end_ms))


def _end_ms(metric: RequestMetric, now: datetime) -> float:
    """Of one that was interrupted, the last that is known of it: it was found later, and nobody
    knows when it ended."""
    if metric.latency_ms is not None:
        return metric.latency_ms
    if metric.status == Outcome.INTERRUPTED:
        admitted_ms = (metric.waited_ms or 0.0) + (metric.loading_ms or 0.0)
        return max(admitted_ms, metric.ttft_ms or 0.0, metric.answering_at_ms or 0.0)
    return max(0.0, ((metric.ended_at or now) - metric.asked_at).total_seconds() * 1000)


def _before(metric: RequestMetric, tries: Sequence[Try], end_ms: float) -> Iterator[Leg]:
    """Everything up to the first token, or to the end where none came."""
    first_ms = end_ms if metric.ttft_ms is None else metric.ttft_ms
    *vain, last = tries or (None,)
    at_ms = 0.0
    for tried in filter(None, vain):
        yield Leg(Phase.WAITING, at_ms, tried.start_ms)
        at_ms = tried.start_ms + tried.took_ms
        yield Leg(Phase.TRYING, tried.start_ms, at_ms, tried.who)
    if last is None:
        yield from _unsent(metric, end_ms)
        return
    loading_ms = metric.loading_ms or 0.0
    yield Leg(Phase.WAITING, at_ms, last.start_ms - loading_ms)
    yield Leg(Phase.LOADING, last.start_ms - loading_ms, last.start_ms)
    in_vain = last.error and metric.ttft_ms is None
    yield Leg(Phase.TRYING if in_vain else Phase.READING, last.start_ms, first_ms, last.who)


def _unsent(metric: RequestMetric, end_ms: float) -> Iterator[Leg]:
    """One of which no attempt is known: it goes on, or it never got to one."""
    waited_ms = end_ms if metric.waited_ms is None else metric.waited_ms
    loaded_ms = waited_ms + (metric.loading_ms or 0.0)
    yield Leg(Phase.WAITING, 0.0, waited_ms)
    yield Leg(Phase.LOADING, waited_ms, loaded_ms)
    yield Leg(Phase.READING, loaded_ms, end_ms if metric.ttft_ms is None else metric.ttft_ms)


def _spoken(metric: RequestMetric, end_ms: float) -> Iterator[Leg]:
    if metric.ttft_ms is not None:
        answering_ms = end_ms if metric.answering_at_ms is None else metric.answering_at_ms
        yield Leg(Phase.THINKING, metric.ttft_ms, answering_ms)
        yield Leg(Phase.ANSWERING, answering_ms, end_ms)


def _inside(legs: Iterable[Leg], end_ms: float) -> Iterator[Leg]:
    """Those that took any time. Clocks differ by a little; nothing ends after the end."""
    for leg in legs:
        start_ms, leg_end_ms = (min(max(0.0, ms), end_ms) for ms in (leg.start_ms, leg.end_ms))
        if leg_end_ms - start_ms >= 1.0:
            yield replace(leg, start_ms=start_ms, end_ms=leg_end_ms)
