"""The three holds: what waits, what is being thought about, what was answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleetweb.core import words
from fleetweb.core.forecast import expected
from fleetweb.core.presence import CognitiveState, FleetPresence, Work
from fleetweb.core.streams import SENT, Answered, Outcome, Stage, Stream

from . import figures
from .looks import LOOKS, Look, Tone
from .moments import Moment, moment

# A hold has room for so many; of the rest it is told how many they are.
SHOWN_WAITING = 4
SHOWN_IN_THOUGHT = 8
SHOWN_ANSWERS = 6

STAGES: Mapping[Stage, Look] = {
    Stage.WAITING: Look("Waiting", "clock", Tone.REST),
    Stage.LOADING: Look("Loading its model", "sunrise", Tone.STIRRING),
    Stage.READING: LOOKS[CognitiveState.READING],
    Stage.THINKING: Look("Thinking", "brain", Tone.THINKING),
    Stage.ANSWERING: Look("Answering", "pen-line", Tone.THINKING),
}
OUTCOMES: Mapping[Outcome, Look] = {
    Outcome.OK: Look("Answered", "check", Tone.REST),
    Outcome.FAILED: Look("Failed", "triangle-alert", Tone.HURT),
    Outcome.CANCELLED: Look("Cancelled", "ban", Tone.AWAY),
    Outcome.REFUSED: Look("Refused", "ban", Tone.AWAY),
    Outcome.INTERRUPTED: Look("Interrupted", "unplug", Tone.HURT),
}
_OVER = Look("Over", "check", Tone.AWAY)
_UNPLACED = Look("In hand", "brain", Tone.THINKING)


@dataclass(frozen=True, slots=True)
class HeldCard:
    """One request. `title` quotes its preview where there is one, and is a plain noun else.

    `where` is the model and who has it; `measures` are its figures; `done` is 0..100 of a bar.
    `asker` is whose it is, and `ends` whether it can be ended from here: both for the owner alone.
    """

    key: str
    title: str
    quoted: bool
    where: str
    look: Look
    since: Moment
    measures: str = ""
    done: str | None = None
    outlook: str | None = None
    asker: str | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class AnsweredCard:
    key: str
    where: str
    look: Look
    at: Moment
    measures: str


@dataclass(frozen=True, slots=True)
class HoldCard:
    """The first of `total` requests."""

    total: int
    shown: tuple[HeldCard, ...]

    @property
    def more(self) -> int:
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class HoldsCard:
    waiting: HoldCard
    in_thought: HoldCard
    answered: tuple[AnsweredCard, ...]


def holds(presence: FleetPresence, now: datetime, *, owner: bool) -> HoldsCard:
    """Oldest first, answers newest first. What a stream tells is not told again by exo's task."""
    waiting = sorted((s for s in presence.streams if s.stage is Stage.WAITING), key=_turn)
    moving = [s for s in presence.streams if s.stage is not Stage.WAITING]
    work = _untold(presence.work, moving)
    in_hand = [(s.asked_at, _stream(s, now, owner)) for s in moving]
    in_hand += [(w.started_at, _work(w, presence, now)) for w in work]
    in_hand.sort(key=lambda pair: (pair[0], pair[1].key))
    return HoldsCard(
        waiting=HoldCard(
            len(waiting), tuple(_stream(s, now, owner) for s in waiting[:SHOWN_WAITING])
        ),
        in_thought=HoldCard(len(in_hand), tuple(card for _, card in in_hand[:SHOWN_IN_THOUGHT])),
        answered=tuple(_answered(a, now) for a in presence.answered[:SHOWN_ANSWERS]),
    )


def _untold(work: Sequence[Work], streams: Sequence[Stream]) -> list[Work]:
    """What exo has in hand besides `streams`.

    Before its first word nobody knows exo's name for a stream: then one of the same model stands
    for it, of several the one that begins with the same words.
    """
    named = {stream.command_id for stream in streams if stream.command_id}
    untold = [w for w in work if w.command_id not in named]
    for stream in streams:
        if stream.command_id is None and stream.stage in SENT:
            same = [w for w in untold if _could_be(w, stream)]
            if same:
                untold.remove(next((w for w in same if w.preview == stream.preview), same[0]))
    return untold


def _could_be(work: Work, stream: Stream) -> bool:
    return (work.cluster, work.model_id) == (stream.cluster, stream.model_id)


def _turn(stream: Stream) -> tuple[int, datetime, str]:
    return (stream.position or 0, stream.asked_at, stream.id)


def _stream(stream: Stream, now: datetime, owner: bool) -> HeldCard:
    done, total = stream.done, stream.total
    return HeldCard(
        key=stream.id,
        title=stream.preview or "A request",
        quoted=stream.preview is not None,
        where=_where(stream.model_id, stream.node or _outside(stream.provider)),
        look=_stream_look(stream),
        since=moment(stream.asked_at, now),
        measures=_measures(stream),
        done=figures.svg(100 * min(done, total) / total) if done is not None and total else None,
        outlook=_outlook(stream, now),
        asker=stream.caller if owner else None,
        ends=owner,
    )


def _outlook(stream: Stream, now: datetime) -> str | None:
    """What it may still take: to its first word, then to its end. None where nobody knows."""
    forecast, elapsed_s = stream.forecast, (now - stream.asked_at).total_seconds()
    if forecast is None:
        return None
    if stream.stage in (Stage.THINKING, Stage.ANSWERING):
        left, until = expected(forecast.end, elapsed_s), "to its end"
    else:
        left, until = expected(forecast.first_token, elapsed_s), "to its first word"
    return f"{left.removesuffix('.')} {until}" if left else None


def _stream_look(stream: Stream) -> Look:
    """Its stage, unless what it says shows more."""
    shown = (
        (stream.silent, CognitiveState.SILENT),
        (stream.circling, CognitiveState.CIRCLING),
        (stream.recursive, CognitiveState.RESOLVING),
        (stream.contradiction, CognitiveState.GRAPPLING),
    )
    return next((LOOKS[state] for holds_now, state in shown if holds_now), STAGES[stream.stage])


def _measures(stream: Stream) -> str:
    parts = []
    if stream.position is not None:
        parts.append("next" if stream.position == 1 else f"number {stream.position} in line")
    if stream.expected_wait_s is not None and stream.stage is Stage.WAITING:
        parts.append(f"about {words.duration(stream.expected_wait_s)} to wait")
    if stream.done is not None and stream.total:
        noun = "layers" if stream.stage is Stage.LOADING else "tokens"
        parts.append(f"{stream.done:,} of {stream.total:,} {noun}")
    if stream.tokens:
        parts.append(figures.plural(stream.tokens, "token"))
    if stream.tokens_per_s is not None:
        parts.append(f"{stream.tokens_per_s:,.1f} tokens/s")
    return ", ".join(parts)


def _work(work: Work, presence: FleetPresence, now: datetime) -> HeldCard:
    """A request that reached exo past the gateway. Those who share an instance share its state."""
    states = {node.name: node.load.state for node in presence.nodes}
    return HeldCard(
        key=work.id,
        title=work.preview or "A request",
        quoted=work.preview is not None,
        where=_where(work.model_id, words.listing(work.nodes)),
        look=next((LOOKS[states[name]] for name in work.nodes if name in states), _UNPLACED),
        since=moment(work.started_at, now),
    )


def _answered(answer: Answered, now: datetime) -> AnsweredCard:
    return AnsweredCard(
        key=answer.id,
        where=_where(answer.model_id, answer.node or _outside(answer.provider)),
        look=OUTCOMES.get(answer.outcome, _OVER),
        at=moment(answer.ended_at, now),
        measures=_answer_measures(answer),
    )


def _answer_measures(answer: Answered) -> str:
    parts = ["from memory"] if answer.cached else []
    if answer.latency_ms is not None:
        parts.append(f"in {figures.elapsed(answer.latency_ms)}")
    if answer.ttft_ms is not None:
        parts.append(f"first word after {figures.elapsed(answer.ttft_ms)}")
    if answer.tokens_per_s is not None:
        parts.append(f"{answer.tokens_per_s:,.1f} tokens/s")
    return ", ".join(parts)


def _outside(provider: str | None) -> str:
    """Who else than the fleet has it."""
    return provider if provider and provider != "exo" else ""


def _where(model_id: str | None, who: str) -> str:
    model = words.short_model(model_id)
    return f"{model} on {who}" if who else model
