"""The ways a rehearsal can be told to misbehave: one small vocabulary, in Python or in a file."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from fleetweb.errors import ConfigError


class FaultKind(StrEnum):
    """What goes wrong. Those that last do so for `for_s`, or until healed."""

    # a machine, named by `node`
    NODE_DIES = "node_dies"  # its sockets close, it refuses
    NODE_HANGS = "node_hangs"  # it accepts and never answers
    NODE_RESUMES = "node_resumes"
    NODE_RETURNS = "node_returns"  # exo is started anew: a new id
    # the master, wherever it is
    MASTER_DIES = "master_dies"
    MASTER_HANGS = "master_hangs"  # the view is frozen
    ELECTION = "election"  # index -1, and everything placed is gone
    ELECTION_PAUSE = "election_pause"  # POSTs wait, nothing is lost
    # a model, named by `model`; any that is placed where it is not given
    RUNNER_FAILS = "runner_fails"
    TOKENS_STALL = "tokens_stall"
    DOWNLOAD_FAILS = "download_fails"
    # the next `count` requests, of `model` where it is given
    THINKING_CONTRADICTS = "thinking_contradicts"
    THINKING_RECURSES = "thinking_recurses"
    THINKING_CIRCLES = "thinking_circles"
    EMPTY_ANSWER = "empty_answer"  # 200 and nothing
    STREAM_CUT = "stream_cut"  # end of file in the middle
    STREAM_ENDS = "stream_ends"  # clean, without finish_reason or [DONE]
    # what is answered, by `node` where it is given; they last
    STATE_MALFORMED = "state_malformed"
    STATE_TRUNCATED = "state_truncated"
    STATE_HUGE = "state_huge"  # 50 MB
    STATE_STRANGE = "state_strange"  # variants and fields nobody knows
    STATE_HTML = "state_html"
    STATE_ERROR = "state_error"  # 500
    STATE_REDIRECTS = "state_redirects"
    SLOW_ANSWERS = "slow_answers"  # `delay_s` late


NEEDS_NODE = frozenset(
    {
        FaultKind.NODE_DIES,
        FaultKind.NODE_HANGS,
        FaultKind.NODE_RESUMES,
        FaultKind.NODE_RETURNS,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, `at` rehearsed seconds from when it is injected.

    `for_s` None: until healed (a stall without it lasts 40 s). `after_tokens` is where a stream
    breaks. `delay_s` is how late slow answers are.
    """

    kind: FaultKind
    at: float = 0.0
    node: str | None = None
    model: str | None = None
    for_s: float | None = None
    count: int = 1
    after_tokens: int = 5
    delay_s: float = 30.0


def load_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of a TOML file (`[[faults]]`) or a JSON list. Raises ConfigError."""
    entries = _entries(path)
    return tuple(_fault(path, number, entry) for number, entry in enumerate(entries, 1))


def _entries(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
        is_json = path.suffix.lower() == ".json"
        read: Any = json.loads(text) if is_json else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the faults file cannot be read: {error}.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: the faults file is malformed: {error}.") from error
    entries = read.get("faults") if isinstance(read, dict) else read
    if not isinstance(entries, list):
        raise ConfigError(
            f"{path}: the faults file holds no list of faults. Give a JSON list, or [[faults]]"
            ' tables in TOML, each with a kind: kind = "node_dies".'
        )
    return entries


def _fault(path: Path, number: int, entry: object) -> Fault:
    where = f"{path}, fault {number}"
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: {entry!r} is not a table with a kind.")
    kind = _kind(where, entry.get("kind"))
    given = {name: value for name, value in entry.items() if name != "kind"}
    for name, value in given.items():
        _check(where, name, value)
    if kind in NEEDS_NODE and "node" not in given:
        raise ConfigError(f'{where}: {kind} needs a node, for example node = "soldier2".')
    return Fault(kind, **given)


def _kind(where: str, kind: object) -> FaultKind:
    try:
        return FaultKind(str(kind))
    except ValueError as error:
        known = ", ".join(FaultKind)
        raise ConfigError(f"{where}: the kind {kind!r} is unknown. Known are {known}.") from error


_WANTED: dict[str, tuple[type, ...]] = {
    "at": (int, float),
    "for_s": (int, float),
    "delay_s": (int, float),
    "count": (int,),
    "after_tokens": (int,),
    "node": (str,),
    "model": (str,),
}


def _check(where: str, name: str, value: object) -> None:
    wanted = _WANTED.get(name)
    if wanted is None:
        known = ", ".join(field.name for field in fields(Fault))
        raise ConfigError(f"{where}: {name!r} is unknown. Known are {known}.")
    is_number = not isinstance(value, bool) and isinstance(value, wanted)
    if not is_number or (isinstance(value, int | float) and value < 0):
        kind = "a text" if wanted == (str,) else "a number, 0 or more"
        raise ConfigError(f"{where}: {name} must be {kind}, not {value!r}.")
