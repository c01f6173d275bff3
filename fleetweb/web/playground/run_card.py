"""A run as its page shows it, read from what is stored."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from fleetweb.core import words
from fleetweb.core.streams import Outcome, Stage, Stream

from ..cards.moments import Moment, moment
from ..models import PlaygroundAnswer, PlaygroundRun, PlaygroundTurn
from . import voice
from .asking import BEST
from .standing import Standing, restored
from .telling import MESSAGE_CHARS, Html, appended, filled, pieces, rendered_text

REACHES: Final = {
    "any": "anyone may stand in",
    "local": "not out of the house",
    "none": "the fleet only",
}
PARAMS: Final = {
    "temperature": "temperature",
    "top_p": "top p",
    "max_tokens": "tokens at most",
    "seed": "seed",
    "stop": "stops at",
}


@dataclass(frozen=True, slots=True)
class TextCard:
    """`name` is `thinking` or `says`. HTML of the finished blocks, and of what follows them."""

    id: str
    blocks: tuple[SafeString, ...]
    tail: SafeString

    def cut(self, room: int) -> "TextCard":
        """Its first blocks, so many that they stay within `room` characters of HTML."""
        kept: list[SafeString] = []
        used = 0
        for block in self.blocks:
            used += len(block)
            if used > room:
                return replace(self, blocks=tuple(kept), tail=SafeString())
            kept.append(block)
        return self


@dataclass(frozen=True, slots=True)
class AnswerCard:
    id: int
    request_id: str
    over: bool
    model: str
    wishes: str
    head: SafeString
    mind: SafeString
    figures: SafeString
    thinking: TextCard
    says: TextCard


@dataclass(frozen=True, slots=True)
class TurnCard:
    number: int
    prompt: str
    asked: Moment
    params: str
    answers: tuple[AnswerCard, ...]


@dataclass(frozen=True, slots=True)
class RunCard:
    """`version` changes with everything that is stored of it."""

    id: str
    title: str
    system: str
    turns: tuple[TurnCard, ...]
    version: str

    @property
    def answers(self) -> Iterable[AnswerCard]:
        return (answer for turn in self.turns for answer in turn.answers)

    @property
    def over(self) -> bool:
        return all(answer.over for answer in self.answers)

    def messages(self) -> Iterable[str]:
        """The whole as parts of bounded size, which turn any state of the page into this one."""
        room = max(1000, MESSAGE_CHARS // max(1, 2 * len(list(self.answers))))
        turns = tuple(
            replace(turn, answers=tuple(_cut(answer, room) for answer in turn.answers))
            for turn in self.turns
        )
        yield filled("turns", turns_html(self.id, turns))
        for answer in self.answers:
            for text in (answer.thinking, answer.says):
                kept = text.cut(room)
                if kept is not text:
                    yield from (appended(text.id, b) for b in text.blocks[len(kept.blocks) :])
                    yield filled(f"{text.id}-tail", text.tail)


def turns_html(run_id: str, turns: Iterable[TurnCard]) -> str:
    context = {"run_id": run_id, "turns": turns}
    return render_to_string("playground/_turns.html", context).strip()


def run_card(run: PlaygroundRun, now: datetime) -> RunCard:
    """What is shown of `run`; answers whose process is gone are marked as interrupted first."""
    PlaygroundAnswer.objects.filter(turn__run=run).interrupt_lost(now)
    turns = list(run.turns.prefetch_related("answers"))
    answers = [answer for turn in turns for answer in turn.answers.all()]
    return RunCard(
        id=run.pk,
        title=run.title,
        system=run.system,
        turns=tuple(_turn(turn, now) for turn in turns),
        version=version_of(answers),
    )


def version_of(answers: Iterable[PlaygroundAnswer]) -> str:
    told = [(a.request_id, a.status, len(a.thinking), len(a.text)) for a in answers]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def standing_as_kept(answer: PlaygroundAnswer, asked_at: datetime) -> Standing:
    """How an answer stood when it was last written."""
    standing = restored(answer.standing) or Standing(
        Stream(answer.request_id, "", Stage.WAITING, asked_at, asked_at, answer.model)
    )
    if answer.status == Outcome.INTERRUPTED and standing.ended_at is None:
        return replace(
            standing,
            outcome=Outcome.INTERRUPTED,
            ended_at=answer.seen_at,
            ended_s=(answer.seen_at - standing.stream.asked_at).total_seconds(),
            error=voice.LOST,
            machines=(),
        )
    return standing


def _turn(turn: PlaygroundTurn, now: datetime) -> TurnCard:
    return TurnCard(
        number=turn.number,
        prompt=turn.prompt,
        asked=moment(turn.asked_at, now),
        params=", ".join(
            f"{PARAMS.get(name, name)} {value}" for name, value in turn.params.items()
        ),
        answers=tuple(_answer(answer, turn.asked_at, now) for answer in turn.answers.all()),
    )


def _say(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _answer(answer: PlaygroundAnswer, asked_at: datetime, now: datetime) -> AnswerCard:
    drawn = pieces(answer.pk, standing_as_kept(answer, asked_at), now)
    root = f"a{answer.pk}"
    return AnswerCard(
        id=answer.pk,
        request_id=answer.request_id,
        over=answer.is_over,
        model="Best available" if answer.model == BEST else words.short_model(answer.model),
        wishes=_wishes(answer),
        head=_ours(drawn[f"{root}-head"]),
        mind=_ours(drawn[f"{root}-mind"]),
        figures=_ours(drawn[f"{root}-figures"]),
        thinking=_text(f"{root}-thinking", answer.thinking, markdown=False),
        says=_text(f"{root}-says", answer.text, markdown=True),
    )


def _wishes(answer: PlaygroundAnswer) -> str:
    wishes = [answer.strategy.replace("_", " ")] if answer.strategy else []
    if answer.reach != "any":
        wishes.append(REACHES[answer.reach])
    return ", ".join([*wishes, *(["asked afresh"] if answer.afresh else [])])


def _text(root: str, text: str, *, markdown: bool) -> TextCard:
    blocks, tail = rendered_text(text, markdown=markdown)
    return TextCard(root, _all_ours(blocks), _ours(tail))


def _cut(answer: AnswerCard, room: int) -> AnswerCard:
    return replace(answer, thinking=answer.thinking.cut(room), says=answer.says.cut(room))


def _all_ours(blocks: Html) -> tuple[SafeString, ...]:
    return tuple(_ours(block) for block in blocks)


def _ours(html: str) -> SafeString:
    return mark_safe(html)  # noqa: S308  rendered by our own templates, or sanitised
