"""What a machine is doing, from the streams it works for: the rules that exo's state can't feed."""

from collections.abc import Callable

from . import words
from .evidence import Evidence
from .intensity import effort
from .presence import CognitiveLoad, CognitiveState, percent
from .sight import Sight
from .streams import Stage, Stream
from .verdict import HardAtWork, hard_at_work, held_up_by, is_explained


def silent(sight: Sight) -> CognitiveLoad | None:
    """A stream says nothing for longer than this model ever did, and nothing explains it.

    While a machine is seen to work hard on it, that is said, and nobody is called stuck.
    """
    for stream in sight.heard:
        if stream.silent and not is_explained(stream, sight):
            at_work = hard_at_work(stream, sight)
            facts = (*stream.evidence, *(at_work.evidence if at_work else ()))
            sentence = _silence(stream, at_work)
            return _load(sight, stream, CognitiveState.SILENT, facts, sentence)
    return None


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
    begun = [stream for stream in sight.heard if stream.said_at is not None]
    readers = [reader for stream in begun if (reader := held_up_by(stream, sight))]
    if not readers or len(readers) < len(begun):
        return None
    reader = readers[0]
    facts = (Evidence("prompt_tokens_read", reader.done, reader.total, "stream"),)
    sentence = words.paused(reader.total)
    return _load(sight, begun[0], CognitiveState.PROCESSING, facts, sentence)


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
    read = percent(stream.done, stream.total) if state is CognitiveState.READING else None
    return CognitiveLoad(
        sight.intensity(effort(requests)),
        state,
        current_task=stream.preview,
        is_recursive=stream.recursive,
        contradiction_detected=stream.contradiction,
        estimated_completion_pct=read,
        evidence=(*facts, Evidence("requests_in_hand", requests, source="stream"), *sight.vitals()),
        sentence=sentence,
    )


def _silence(stream: Stream, at_work: HardAtWork | None) -> str:
    gap = stream.shown("gap_ms")
    lasted_s, longest_s = _seconds(gap and gap.value), _seconds(gap and gap.baseline)
    if at_work is None:
        return words.silent(lasted_s, longest_s)
    return words.silent_at_work(lasted_s, longest_s, at_work.name, at_work.gpu_usage)


def _circle(stream: Stream) -> str:
    cycle, repeats = stream.shown("cycle_words"), stream.shown("cycle_repeats")
    return words.circling(cycle.value if cycle else None, repeats.value if repeats else None)


def _seconds(value: object) -> float | None:
    return value / 1000 if isinstance(value, int | float) else None
