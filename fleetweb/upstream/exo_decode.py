"""exo's `/state` -> ClusterSnapshot: pure, and patient with all but an answer that is not exo's."""

import json
from datetime import datetime

import msgspec

from ..core.snapshot import ClusterSnapshot
from ..errors import ClusterReplyInvalid
from .exo_downloads import downloads_of
from .exo_nodes import nodes_of
from .exo_salvage import LOST, UNREADABLE, Flaws, salvage
from .exo_wire import State
from .exo_work import instances_of, tasks_of

_STATE = msgspec.json.Decoder(State)
_NOTHING = State()


def decode_state(body: bytes, seen_at: datetime, source: str = "exo") -> ClusterSnapshot:
    """What `body` says of the cluster; what of it cannot be read is left out and named in `flaws`.

    Raises ClusterReplyInvalid, in a sentence that begins with `source`, where it is no state of
    exo's at all.
    """
    flaws = Flaws()
    state = _read(body, flaws)
    if state is None or state == _NOTHING:
        raise ClusterReplyInvalid(f"{source} {looks_like(body)}")
    if state.topology is None:
        flaws.note("topology is missing")
    instances = instances_of(state, flaws)
    return ClusterSnapshot(
        seen_at=seen_at,
        event_index=state.last_event_applied_idx,
        nodes=nodes_of(state),
        instances=instances,
        tasks=tasks_of(state, instances, flaws),
        downloads=downloads_of(state, flaws),
        flaws=flaws.phrases(),
    )


def _read(body: bytes, flaws: Flaws) -> State | None:
    try:
        return _STATE.decode(body)
    except UNREADABLE:
        rest = salvage(_without_nan(body), State, "", flaws)
        return None if rest is LOST else rest


def _without_nan(body: bytes) -> bytes:
    """NaN and Infinity are no JSON, but Python's encoder writes them; they become null."""
    if b"NaN" not in body and b"Infinity" not in body:
        return body
    try:
        return msgspec.json.encode(json.loads(body))
    except (ValueError, RecursionError):
        return body


def looks_like(body: bytes, expected: str = "exo's state") -> str:
    """What was sent instead of exo's answer, as the rest of a sentence. Quotes nothing of it."""
    start = body[:200].lstrip().lower()
    if not start:
        return f"sent an empty answer instead of {expected}"
    if start.startswith(b"<"):
        return f"sent a web page instead of {expected}; is the address exo's own?"
    if not start.startswith((b"{", b"[")):
        return f"sent something that is not {expected}; is the address exo's own?"
    return _looks_like_json(body, expected)


def _looks_like_json(body: bytes, expected: str) -> str:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if "truncated" in str(error):
            return f"sent an answer that was cut off before its end, not {expected} as a whole"
        return f"sent malformed JSON instead of {expected}"
    except (UnicodeDecodeError, RecursionError):
        return f"sent malformed JSON instead of {expected}"
    return f"sent JSON that is not {expected}; is the address exo's own?"
