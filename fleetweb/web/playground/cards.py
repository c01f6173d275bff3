"""What is drawn of an answer, as frozen values ready for a template."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from fleetweb.core import words
from fleetweb.core.presence import CognitiveState
from fleetweb.core.streams import Outcome, Stage

from ..cards import figures
from ..cards.looks import LOOKS, Look, Tone
from ..cards.moments import Moment, moment
from . import voice
from .standing import Heard, Standing

PHASES: Mapping[Stage, Look] = {
    Stage.WAITING: Look("Waiting", "clock", Tone.REST),
    Stage.LOADING: Look("Loading", "sunrise", Tone.STIRRING),
    Stage.READING: Look("Reading", "book-open", Tone.THINKING),
    Stage.THINKING: Look("Thinking", "brain", Tone.THINKING),
    Stage.ANSWERING: Look("Answering", "pen-line", Tone.THINKING),
}
OUTCOMES: Mapping[Outcome, Look] = {
    Outcome.OK: Look("Answered", "check", Tone.REST),
    Outcome.FAILED: Look("Failed", "triangle-alert", Tone.HURT),
    Outcome.CANCELLED: Look("Stopped", "ban", Tone.AWAY),
    Outcome.REFUSED: Look("Refused", "ban", Tone.HURT),
    Outcome.INTERRUPTED: Look("Interrupted", "unplug", Tone.HURT),
}
JUST_NOW_S = 5.0
NOT_YET = "not yet"


class When(StrEnum):
    """How a phase stands to the present one."""

    PAST = "past"
    NOW = "now"
    AHEAD = "ahead"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class PhaseCard:
    """`took` is how long it lasted, "" while that is open; `since` ticks while it lasts."""

    phase: str
    look: Look
    when: When
    took: str = ""
    since: Moment | None = None


@dataclass(frozen=True, slots=True)
class MachineCard:
    name: str
    look: Look
    heard: str


@dataclass(frozen=True, slots=True)
class HeadCard:
    """`done` is 0..100 of a bar, None where nothing can be counted; `failed` are earlier tries."""

    id: int
    stage: Stage
    look: Look
    over: bool
    since: Moment
    phases: tuple[PhaseCard, ...]
    sentence: str
    forecast: str
    stillness: str
    done: str | None
    machines: tuple[MachineCard, ...]
    reason: str
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MindCard:
    """The line over its thinking, which stays when that is folded."""

    id: int
    tone: Tone
    icon: str
    sentence: str
    lives: bool


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class FiguresCard:
    id: int
    figures: tuple[Figure, ...]


def head(answer_id: int, standing: Standing, now: datetime) -> HeadCard:
    stream = standing.stream
    return HeadCard(
        id=answer_id,
        stage=stream.stage,
        look=look_of(standing),
        over=standing.ended_at is not None,
        since=moment(stream.asked_at, now),
        phases=tuple(_phases(standing, now)),
        sentence=voice.sentence_of(standing, "your prompt"),
        forecast=voice.forecast_of(standing, now),
        stillness=voice.stillness_of(standing, now),
        done=_done(standing),
        machines=tuple(_machine(heard, now) for heard in standing.machines),
        reason=standing.reason,
        failed=_failed(standing),
    )


def mind(answer_id: int, standing: Standing) -> MindCard:
    """What its thinking shows while it thinks, and how long it thought once it is past."""
    stream = standing.stream
    if standing.ended_at is None and stream.stage is Stage.THINKING:
        look = look_of(standing)
        sentence = voice.doubt_of(stream, "your prompt") or words.NOT_BROKEN
        return MindCard(answer_id, look.tone, look.icon, sentence, lives=True)
    return MindCard(answer_id, Tone.REST, "brain", _thought_for(standing), lives=False)


def measures(answer_id: int, standing: Standing) -> FiguresCard:
    stream = standing.stream
    missing = NOT_YET if standing.ended_at is None else figures.UNKNOWN
    where = words.listing(standing.nodes) or (stream.provider if standing.first_token_s else "")
    rate = standing.tokens_per_s
    shown = {
        "Model": words.short_model(stream.model_id) if where else "",
        "Ran on": f"{where} ({stream.provider})" if where else "",
        "First word": _seconds(standing.first_token_s),
        "Speed": "" if rate is None else f"{rate:,.1f} tokens/s",
        "Tokens": _tokens(standing),
        "Cost": _cost(standing),
        "Attempts": _attempts(standing),
    }
    told = (Figure(label, said or missing, bool(said)) for label, said in shown.items())
    return FiguresCard(answer_id, tuple(told))


def look_of(standing: Standing) -> Look:
    """Its outcome, or its phase, unless what it says shows more."""
    if standing.ended_at is not None:
        return OUTCOMES.get(standing.outcome, OUTCOMES[Outcome.INTERRUPTED])
    stream = standing.stream
    shown = (
        (stream.silent, CognitiveState.SILENT),
        (stream.circling, CognitiveState.CIRCLING),
        (stream.recursive, CognitiveState.RESOLVING),
        (stream.contradiction, CognitiveState.GRAPPLING),
    )
    return next((LOOKS[state] for holds, state in shown if holds), PHASES[stream.stage])


def _phases(standing: Standing, now: datetime) -> Iterable[PhaseCard]:
    """Each from where the one before it ended; one that took no time was not gone through."""
    marks = (
        0.0,
        standing.admitted_s,
        standing.loaded_s,
        standing.first_token_s,
        standing.answering_s,
        standing.ended_s,
    )
    present = None if standing.ended_at else standing.stream.stage
    order = list(PHASES)
    reached = order.index(standing.stream.stage)
    for index, (stage, (began_s, ended_s)) in enumerate(zip(order, pairwise(marks), strict=True)):
        earlier = [at for at in marks[: index + 1] if at is not None]
        began_s = began_s if began_s is not None else max(earlier)
        look = PHASES[stage]
        if stage is present:
            since = standing.stream.asked_at + timedelta(seconds=began_s)
            since = max(since, standing.stream.stage_since)
            yield PhaseCard(stage.value, look, When.NOW, since=moment(since, now))
        elif index > reached:
            yield PhaseCard(stage.value, look, When.AHEAD if present else When.SKIPPED)
        else:
            until_s = _ended_at(standing, stage, ended_s)
            took_s = None if until_s is None else until_s - began_s
            if not took_s or took_s < 0:
                yield PhaseCard(stage.value, look, When.SKIPPED)
            else:
                yield PhaseCard(stage.value, look, When.PAST, took=_seconds(took_s))


def _ended_at(standing: Standing, stage: Stage, mark_s: float | None) -> float | None:
    """Where a phase that is past ended; the last one that was reached ends with the answer."""
    return standing.ended_s if mark_s is None and stage is standing.stream.stage else mark_s


def _done(standing: Standing) -> str | None:
    stream = standing.stream
    if standing.ended_at is not None or stream.done is None or not stream.total:
        return None
    return figures.svg(100 * min(stream.done, stream.total) / stream.total)


def _machine(heard: Heard, now: datetime) -> MachineCard:
    if heard.heard_at is None:
        return MachineCard(heard.name, LOOKS[heard.state], "not heard of")
    ago_s = (now - heard.heard_at).total_seconds()
    said = "just heard of" if ago_s < JUST_NOW_S else f"last heard {words.duration(ago_s)} ago"
    return MachineCard(heard.name, LOOKS[heard.state], said)


def _thought_for(standing: Standing) -> str:
    began_s = standing.first_token_s
    until_s = standing.answering_s if standing.answering_s is not None else standing.ended_s
    if began_s is None or until_s is None or until_s <= began_s:
        return "Thought"
    return f"Thought for {_seconds(until_s - began_s)}"


def _tokens(standing: Standing) -> str:
    read, said = standing.prompt_tokens, standing.completion_tokens
    if read is None and said is None:
        return ""
    thought = standing.reasoning_tokens
    more = f", {thought:,} of them thought" if thought else ""
    before = "" if read is None else f"{read:,} read, "
    return f"{before}{said or 0:,} written{more}"


def _cost(standing: Standing) -> str:
    cost = standing.cost_usd
    if cost is None:
        return ""
    return "nothing" if float(cost) == 0 else f"${float(cost):.4f}"


def _attempts(standing: Standing) -> str:
    tries = len(standing.tries)
    failed = len(_failed(standing))
    return f"{tries}, {failed} of them failed" if failed and tries > 1 else str(tries or "")


def _failed(standing: Standing) -> tuple[str, ...]:
    return tuple(f"{one.where}: {one.error}" for one in standing.tries if one.error)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.95:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else words.duration(seconds)
