"""The facts behind a sentence, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleetweb.core import words
from fleetweb.core.evidence import Evidence

from . import figures

# exo hears from a healthy machine about once a second: younger news than this is no news.
JUST_NOW_S = 5

SOURCES: Mapping[str, str] = {
    "exo": "exo",
    "poll": "the poller",
    "stream": "its stream",
    "config": "your fleet's file",
}


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    label: str
    value: str
    source: str


def row(fact: Evidence) -> EvidenceRow:
    source = SOURCES.get(fact.source, fact.source)
    spoken = KNOWN.get(fact.signal)
    if spoken is not None:
        label, say = spoken
        return EvidenceRow(label, say(fact), source)
    return EvidenceRow(_label(fact.signal), _with_baseline(fact), source)


def _heard(fact: Evidence) -> str:
    if not isinstance(fact.value, int | float):
        return figures.UNKNOWN
    return "just now" if fact.value < JUST_NOW_S else f"{words.duration(fact.value)} ago"


def _progress(fact: Evidence) -> str:
    """A value held against the whole it is part of: "34 of 94"."""
    value, whole = _say(fact.signal, fact.value), fact.baseline
    return value if whole is None else f"{value} of {_say(fact.signal, whole)}"


def _measured(fact: Evidence) -> str:
    """A value held against what is usual here."""
    value, usual = _say(fact.signal, fact.value), fact.baseline
    return value if usual is None else f"{value}, longest before {_say(fact.signal, usual)}"


def _bounded(fact: Evidence) -> str:
    """A count held against the least that means anything."""
    value, least = _say(fact.signal, fact.value), fact.baseline
    return value if least is None else f"{value}, and {_say(fact.signal, least)} would do"


def _likely(fact: Evidence) -> str:
    if not isinstance(fact.value, int | float):
        return figures.UNKNOWN
    likelihood = f"likely by {figures.share(fact.value)}"
    bound = fact.baseline
    if not isinstance(bound, int | float):
        return likelihood
    return f"{likelihood}, said from {figures.share(bound)}"


def _still(fact: Evidence) -> str:
    return f"stands still at {_say(fact.signal, fact.value)}"


def _phrase(fact: Evidence) -> str:
    return figures.UNKNOWN if fact.value is None else str(fact.value).replace("_", " ")


KNOWN: Mapping[str, tuple[str, Callable[[Evidence], str]]] = {
    "last_heard_s": ("Last heard", _heard),
    "layers_loaded": ("Layers loaded", _progress),
    "downloaded_bytes": ("Downloaded", _progress),
    "bytes_per_s": ("Download speed", _progress),
    "prompt_tokens_read": ("Tokens read", _progress),
    "cycle_words": ("Words that repeat", _progress),
    "cycle_repeats": ("Times in a row", _bounded),
    "contradiction_likelihood": ("It contradicts itself", _likely),
    "revisits": ("Thoughts taken up again", _bounded),
    "requests_in_hand": ("Requests in hand", _progress),
    "models_ready": ("Models ready", _progress),
    "runner_phase": ("exo's runner", _phrase),
    "failed_while": ("Failed while", _phrase),
    "reason": ("exo's reason", _phrase),
    "cluster_condition": ("The cluster", _phrase),
    "in_topology": ("exo counts it in", _progress),
    "seen": ("Seen so far", _progress),
    "holds": ("Holds", _progress),
    "event_index_still": ("exo's count of events", _still),
    "waiting_for": ("Waiting for", _phrase),
    "waiting_because": ("Because", _phrase),
    "gap_ms": ("Silence in the stream", _measured),
    "patience_ms": ("Silence that alarms", _progress),
    "hard_at_work": ("Hard at work", _phrase),
    "its_gpu_usage": ("Its GPU in use", _progress),
    "gpu_usage": ("GPU in use", _progress),
    "temperature_c": ("Temperature", _progress),
    "power_w": ("Power", _progress),
}


def _label(signal: str) -> str:
    """`view_still_s` reads "View still": the unit belongs to the value."""
    name = signal
    for suffix in UNITS:
        if name.endswith(suffix) and name != suffix:
            name = name.removesuffix(suffix)
            break
    spaced = name.strip("_").replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def _with_baseline(fact: Evidence) -> str:
    value = _say(fact.signal, fact.value)
    if fact.baseline is None:
        return value
    return f"{value}, against {_say(fact.signal, fact.baseline)}"


def _say(signal: str, value: float | int | str | bool | None) -> str:
    if value is None:
        return figures.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    unit = next((say for suffix, say in UNITS.items() if signal.endswith(suffix)), figures.number)
    return unit(value)


# Longest suffix first: the first that fits is the unit.
UNITS: Mapping[str, Callable[[float], str]] = {
    "bytes_per_s": lambda value: f"{value / 1e6:,.0f} MB/s",
    "tokens_per_s": lambda value: f"{value:,.1f} tokens/s",
    "_tps": lambda value: f"{value:,.1f} tokens/s",
    "_tokens": lambda value: f"{value:,.0f}",
    "_bytes": lambda value: figures.gigabytes(int(value)),
    "_usage": figures.share,
    "_ratio": figures.share,
    "_pct": lambda value: f"{value:.0f} %",
    "_gb": lambda value: f"{value:,.0f} GB",
    "_ms": lambda value: words.duration(value / 1000) if value >= 1000 else f"{value:,.0f} ms",
    "_char": lambda value: f"character {value:,.0f}",
    "_likelihood": figures.share,
    "_s": words.duration,
    "_c": figures.degrees,
    "_w": figures.watts,
}
