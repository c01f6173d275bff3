"""What is said of an answer under way: where it is, what is expected, and why nothing moves."""

from datetime import datetime
from typing import Final

from fleetweb.core import words
from fleetweb.core.evidence import Evidence
from fleetweb.core.forecast import expected
from fleetweb.core.streams import Outcome, Stage, Stream

from .standing import Standing

STILL_S: Final = 2.0  # longer than this nothing stands still without a reason beside it

FINDING: Final = "Finding a machine that can answer."
ANSWERING: Final = "Writing the answer."
STOPPED: Final = "Stopped."
LOST: Final = (
    "Interrupted: the process that ran it is gone. What had come by then is kept. Try it again."
)
READING_STEPS: Final = "exo tells of its reading every 4,096 tokens. In between it is at work."
LOADING_STEPS: Final = "Its layers are read from disk, one after the other."
NO_FORECAST: Final = "No forecast yet: nothing like it has been answered here."


def sentence_of(standing: Standing, preview: str) -> str:
    """What it is doing now, or how it ended."""
    if standing.ended_at is not None:
        return _ending(standing)
    stream = standing.stream
    if stream.stage is Stage.WAITING:
        return _place(stream)
    if stream.stage is Stage.LOADING:
        return _loading(stream)
    return doubt_of(stream, preview) or _work(stream)


def doubt_of(stream: Stream, preview: str) -> str | None:
    """What its stream shows besides progress, None where it shows nothing."""
    if stream.silent:
        gap = stream.shown("gap_ms")
        return words.silent(_seconds(gap and gap.value), _seconds(gap and gap.baseline))
    if stream.circling:
        return words.circling(
            _value(stream.shown("cycle_words")), _value(stream.shown("cycle_repeats"))
        )
    if stream.recursive:
        return words.resolving(preview)
    return words.grappling(preview) if stream.contradiction else None


def forecast_of(standing: Standing, now: datetime) -> str:
    """When to expect what comes next; "" once it is over."""
    stream = standing.stream
    if standing.ended_at is not None:
        return ""
    elapsed_s = (now - stream.asked_at).total_seconds()
    forecast = stream.forecast
    if standing.first_token_s is None:
        said = expected(forecast.first_token, elapsed_s) if forecast else None
        return f"Until its first word: {_lowered(said)}" if said else NO_FORECAST
    said = expected(forecast.end, elapsed_s) if forecast else None
    return f"Until its end: {_lowered(said)}" if said else NO_FORECAST


def stillness_of(standing: Standing, now: datetime) -> str:
    """Why nothing has moved for a while, "" where something has."""
    stream = standing.stream
    if standing.ended_at is not None:
        return ""
    still_s = (now - (stream.said_at or stream.stage_since)).total_seconds()
    if still_s < STILL_S:
        return ""
    if stream.stage is Stage.WAITING:
        return "Its turn comes when a request before it is over." if stream.position else ""
    if stream.stage is Stage.LOADING:
        return LOADING_STEPS
    if stream.stage is Stage.READING:
        return READING_STEPS if stream.provider == "exo" else ""
    return (
        "" if stream.silent else f"Nothing new for {words.duration(still_s)}; that is usual here."
    )


def _ending(standing: Standing) -> str:
    if standing.outcome is Outcome.OK:
        took = "" if standing.ended_s is None else f" in {_span(standing.ended_s)}"
        cut = ", cut at its token limit" if standing.finish_reason == "length" else ""
        memory = ", from memory" if standing.cached else ""
        return f"Answered{took}{memory}{cut}."
    if standing.outcome is Outcome.CANCELLED:
        return STOPPED
    return standing.error or LOST


def _place(stream: Stream) -> str:
    if stream.position is None:
        return FINDING
    place = "Next in line" if stream.position == 1 else f"Number {stream.position} in line"
    if stream.expected_wait_s is None:
        return f"{place}."
    return f"{place}, about {words.duration(stream.expected_wait_s)} to wait."


def _loading(stream: Stream) -> str:
    model = words.short_model(stream.model_id)
    if stream.done is None or not stream.total:
        return words.waking(model, "its machines get ready")
    return words.waking(model, words.waking_layers(stream.done, stream.total))


def _work(stream: Stream) -> str:
    if stream.stage is Stage.THINKING:
        return words.NOT_BROKEN
    if stream.stage is Stage.ANSWERING:
        return ANSWERING
    if stream.provider != "exo":
        return f"{stream.provider.capitalize()} is reading your prompt."
    return words.reading(stream.done, stream.total)


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else words.duration(seconds)


def _value(fact: Evidence | None) -> object:
    return fact.value if fact else None


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
