"""What a machine is doing, from the streams it works for: the rules that exo's state can't feed."""

from collections.abc import Callable
from datetime import timedelta

from . import words
from .evidence import Evidence
from .intensity import effort
from .presence import CognitiveLoad, CognitiveState
from .sight import Sight
from .streams import Stage, Stream

# A stream that says nothing for so long while another prompt is read is held up by it.
PAUSED_AFTER = timedelta(seconds=2)


def silent(sight: Sight) -> CognitiveLoad | None:
    """A stream says nothing for longer than this model ever did, and no reading explains it."""
    if any(_held_up_by(stream, sight) for stream in sight.heard):
        return None
    return _first(sight, lambda s: s.silent, CognitiveState.SILENT, _silence)


def circling(sight: Sight) -> CognitiveLoad | None:
    return _first(sight, lambda s: s.circling, CognitiveState.CIRCLING, _circle)


def resolving(sight: Sight) -> CognitiveLoad | None:
    return _first(
        sight, lambda s: s.recursive, CognitiveState.RESOLVING, lambda s: words.resolving(s.preview)
    )


def grappling(sight: Sight) -> CognitiveLoad | None:
    return _first(
        sight,
        lambda s: s.contradiction,
        CognitiveState.GRAPPLING,
        lambda s: words.grappling(s.preview),
    )


def paused(sight: Sight) -> CognitiveLoad | None:
    """Everything here waits for another prompt to be read: exo reads and writes in turns."""
    for stream in sight.heard:
        reader = _held_up_by(stream, sight)
        if reader is not None:
            facts = (Evidence("prompt_tokens_read", reader.done, reader.total, "stream"),)
            sentence = words.paused(reader.total)
            return _load(sight, stream, CognitiveState.PROCESSING, facts, sentence)
    return None


def reading(sight: Sight) -> CognitiveLoad | None:
    """Every request here is still being read: nobody has been told a word."""
    heard = sight.heard
    unheard = sum(len(tasks) for _, tasks in sight.in_hand) - len(heard)
    if not heard or unheard > 0 or any(s.stage is not Stage.READING for s in heard):
        return None
    slowest = max(heard, key=lambda stream: stream.total or 0)
    facts = (Evidence("prompt_tokens_read", slowest.done, slowest.total, "stream"),)
    sentence = words.reading(slowest.done, slowest.total)
    return _load(sight, slowest, CognitiveState.READING, facts, sentence)


def _first(
    sight: Sight,
    shows: Callable[[Stream], bool],
    state: CognitiveState,
    sentence: Callable[[Stream], str],
) -> CognitiveLoad | None:
    stream = next((s for s in sight.heard if shows(s)), None)
    if stream is None:
        return None
    return _load(sight, stream, state, stream.evidence, sentence(stream))


def _load(
    sight: Sight,
    stream: Stream,
    state: CognitiveState,
    facts: tuple[Evidence, ...],
    sentence: str,
) -> CognitiveLoad:
    requests = len(sight.heard)
    return CognitiveLoad(
        sight.intensity(effort(requests)),
        state,
        current_task=stream.preview,
        is_recursive=stream.recursive,
        contradiction_detected=stream.contradiction,
        estimated_completion_pct=_percent(stream) if state is CognitiveState.READING else None,
        evidence=(*facts, Evidence("requests_in_hand", requests, source="stream"), *sight.vitals()),
        sentence=sentence,
    )


def _held_up_by(stream: Stream, sight: Sight) -> Stream | None:
    """The stream whose prompt is read while `stream` says nothing, None if there is none."""
    if stream.said_at is None or sight.now - stream.said_at <= PAUSED_AFTER:
        return None
    readers = (s for s in sight.heard if s.stage is Stage.READING and s.total)
    return next((s for s in readers if s.model_id == stream.model_id), None)


def _silence(stream: Stream) -> str:
    gap = stream.shown("gap_ms")
    return words.silent(_ms(gap and gap.value), _ms(gap and gap.baseline))


def _circle(stream: Stream) -> str:
    cycle, repeats = stream.shown("cycle_words"), stream.shown("cycle_repeats")
    return words.circling(cycle.value if cycle else None, repeats.value if repeats else None)


def _ms(value: object) -> float | None:
    return value / 1000 if isinstance(value, int | float) else None


def _percent(stream: Stream) -> float | None:
    if stream.done is None or not stream.total:
        return None
    return round(min(100.0, 100 * stream.done / stream.total), 1)
