"""Requests as their pages show them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from fleetweb.core import words
from fleetweb.core.streams import Outcome
from fleetweb.gateway.models import RequestMetric, RequestText

from ..cards import figures
from ..cards.holds import OUTCOMES
from ..cards.looks import Look, Tone
from ..cards.moments import Moment, moment
from ..replay.clock import address_of, after
from .tries import Try, tries_of
from .waterfall import Leg, WaterfallCard, legs_of, waterfall
from .why import WhyCard, why

_IN_HAND: Mapping[Outcome, Look] = {
    Outcome.WAITING: Look("Waiting", "clock", Tone.REST),
    Outcome.RUNNING: Look("In hand", "brain", Tone.THINKING),
}
LOOKS: Mapping[Outcome, Look] = {**OUTCOMES, **_IN_HAND}
# What providers put behind a model's name for the version of it; nothing is a version too.
_VERSION = re.compile(r"([-:@](latest|\d{3}|\d{8}|\d{4}-\d\d-\d\d))?")
_CUT_OFF = "the process that had it in hand ended first."


@dataclass(frozen=True, slots=True)
class RequestCard:
    """One request in a list. `stood_in` says that it did not go where it was first sent."""

    id: str
    url: str
    look: Look
    at: Moment
    model: str
    where: str
    caller: str
    measures: str
    said: str
    stood_in: str
    waterfall: WaterfallCard


@dataclass(frozen=True, slots=True)
class FactCard:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class MessageCard:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class TextCard:
    messages: tuple[MessageCard, ...]
    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class DetailCard:
    """One request and everything that is remembered of it. `text` is None where none was kept.

    `in_all` names the sum of its phases. `untimed` says why there are none, `unchosen` why there is
    no `why`.
    """

    summary: RequestCard
    place: str
    in_all: str
    untimed: str
    unchosen: str
    asked_for: str
    in_hand: bool
    replay_at: str
    tries: tuple[Try, ...]
    why: WhyCard | None
    facts: tuple[FactCard, ...]
    text: TextCard | None


def request_cards(metrics: Sequence[RequestMetric], now: datetime) -> tuple[RequestCard, ...]:
    """Side by side on one scale: the longest of them fills the width."""
    legs = [legs_of(metric, tries_of(metric), now) for metric in metrics]
    scale_ms = max((own[-1].end_ms for own in legs if own), default=0.0)
    return tuple(
        _card(metric, own, scale_ms, now) for metric, own in zip(metrics, legs, strict=True)
    )


def detail_card(metric: RequestMetric, text: RequestText | None, now: datetime) -> DetailCard:
    tries = tries_of(metric)
    legs = legs_of(metric, tries, now)
    return DetailCard(
        summary=_card(metric, legs, legs[-1].end_ms if legs else 0.0, now),
        place=_place(metric),
        in_all=_in_all(metric),
        untimed=_untimed(metric),
        unchosen=_unchosen(metric),
        asked_for=metric.model_asked,
        in_hand=metric.status in RequestMetric.OPEN,
        replay_at=address_of(after(metric.asked_at)),
        tries=tries,
        why=why(metric, tries),
        facts=tuple(_facts(metric)),
        text=_text(text) if text else None,
    )


def _card(
    metric: RequestMetric, legs: Sequence[Leg], scale_ms: float, now: datetime
) -> RequestCard:
    return RequestCard(
        id=metric.pk,
        url=reverse("request-detail", args=(metric.pk,)),
        look=LOOKS[Outcome(metric.status)],
        at=moment(metric.asked_at, now),
        model=words.short_model(metric.model or metric.model_asked),
        where=_where(metric),
        caller=metric.caller,
        measures=_measures(metric),
        said=metric.error,
        stood_in=_stood_in(metric),
        waterfall=waterfall(legs, scale_ms),
    )


def _where(metric: RequestMetric) -> str:
    """The door that was asked, and who worked behind it where that is more than the door."""
    if metric.cached:
        return "from memory"
    if metric.provider and metric.provider != "exo":
        return metric.provider
    if not metric.node:
        return ""
    others = [name for name in metric.nodes if name != metric.node]
    if metric.node not in metric.nodes and others:
        return f"{words.listing(others)}, asked through {metric.node}"
    return words.listing([metric.node, *others])


def _measures(metric: RequestMetric) -> str:
    parts = []
    if metric.latency_ms is not None:
        parts.append(f"in {figures.elapsed(metric.latency_ms)}")
    if metric.ttft_ms is not None:
        parts.append(f"first word after {figures.elapsed(metric.ttft_ms)}")
    if metric.completion_tokens is not None:
        parts.append(figures.plural(metric.completion_tokens, "token"))
    if metric.tokens_per_s is not None:
        parts.append(f"{metric.tokens_per_s:,.1f} tokens/s")
    return ", ".join(parts)


def _stood_in(metric: RequestMetric) -> str:
    """Who answered with another model than was asked for, or was to; else how many were tried."""
    if metric.cached or not metric.provider:
        return ""
    asked, model = metric.model_asked, metric.model
    if metric.provider != "exo" and not _is_the_same(asked, model):
        did = "stood in" if metric.ttft_ms is not None else "was to stand in"
        return f"{metric.provider} {did} for {words.short_model(asked)}"
    return f"after {metric.attempts} attempts" if metric.attempts > 1 else ""


def _is_the_same(asked: str, model: str) -> bool:
    """Providers answer with the version of what was asked for: `claude-sonnet-4-5-20250929`."""
    asked, model = (name.rsplit("/", 1)[-1].casefold() for name in (asked, model))
    return _VERSION.fullmatch(model.removeprefix(asked)) is not None


def _place(metric: RequestMetric) -> str:
    """Where it was answered, as what follows the model's name."""
    where = _where(metric)
    return f"on {where}" if where and not metric.cached else where


def _in_all(metric: RequestMetric) -> str:
    if metric.status == Outcome.INTERRUPTED:
        return "As far as is known"
    return "So far" if metric.status in RequestMetric.OPEN else "In all"


def _untimed(metric: RequestMetric) -> str:
    if metric.status == Outcome.INTERRUPTED:
        return f"Nobody knows how far it came: {_CUT_OFF}"
    if metric.latency_ms is None:
        return "Nothing of it has been measured yet."
    took = figures.elapsed(metric.latency_ms)
    return f"It was over in {took}, too soon to tell what that went to."


def _unchosen(metric: RequestMetric) -> str:
    if metric.cached:
        return "Nobody had to choose: it was answered from memory."
    if metric.status == Outcome.INTERRUPTED:
        return f"Nobody knows whether it was sent anywhere: {_CUT_OFF}"
    if metric.status in RequestMetric.OPEN:
        return "It has not been sent anywhere yet, as far as is known."
    if metric.attempts:
        return "Why it went where it went was not kept."
    return "Nobody had to choose: nothing was sent anywhere for it."


def _facts(metric: RequestMetric) -> list[FactCard]:
    facts: dict[str, Any] = {
        "Asked by": f"{metric.caller}, with a key" if metric.key_id else metric.caller,
        "Asked from": "the playground" if metric.source == "playground" else "the API",
        "Answered as": "a stream" if metric.streamed else "one piece",
        "Prompt": _tokens(metric.prompt_tokens),
        "Read before": _tokens(metric.cached_tokens),
        "Answer": _tokens(metric.completion_tokens),
        "Of that, thinking": _tokens(metric.reasoning_tokens),
        "Longest silence": figures.elapsed(metric.longest_gap_ms),
        "Ended because": metric.finish_reason.replace("_", " ") or figures.UNKNOWN,
        "Cost": _cost(metric),
        "Energy": _energy(metric),
        "Cluster": metric.cluster or "none",
    }
    return [FactCard(label, value) for label, value in facts.items()]


def _tokens(count: int | None) -> str:
    return figures.UNKNOWN if count is None else figures.plural(count, "token")


def _cost(metric: RequestMetric) -> str:
    if metric.cost_usd is None:
        return figures.UNKNOWN
    if not metric.cost_usd:
        return "nothing"
    return f"${metric.cost_usd.normalize():f}"


def _energy(metric: RequestMetric) -> str:
    return figures.UNKNOWN if metric.energy_j is None else f"{metric.energy_j / 3600:,.2f} Wh"


def _text(kept: RequestText) -> TextCard:
    return TextCard(
        messages=tuple(MessageCard(str(m.get("role", "")), _said(m)) for m in kept.messages),
        reasoning=kept.reasoning,
        answer=kept.answer,
    )


def _said(message: Mapping[str, Any]) -> str:
    """A message's words; of a message with pictures too, those parts that are words."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    told = (part.get("text") or f"[{part.get('type', 'something else')}]" for part in parts)
    return "\n".join(told)
