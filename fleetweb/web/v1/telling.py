"""What is told about a request beside its answer: headers at its beginning, comments on its way."""

from string import printable
from typing import Any, Final
from urllib.parse import quote

import msgspec

from fleetweb.core.openai import comment
from fleetweb.core.streams import Stage
from fleetweb.gateway.passage import Passage

_AS_IT_IS: Final = "".join(sorted(set(printable) - set("\t\n\r\x0b\x0c")))


def headers_of(passage: Passage) -> dict[str, str]:
    """Who answers, through which machine, at which try: as far as it is known by now."""
    under_way = passage.ended_at is None and not passage.cached
    told = {
        "x-request-id": passage.id,
        "x-fleetweb-request": passage.id,
        "x-fleetweb-attempts": str(len(passage.attempts) + under_way),
    }
    if passage.provider:
        told["x-fleetweb-provider"] = passage.provider
    if passage.node:
        told["x-fleetweb-node"] = quote(passage.node, safe=_AS_IT_IS)
    if passage.cached:
        told["x-fleetweb-cached"] = "hit"
    return told


def answer_id(passage: Passage) -> str:
    """The answer's id in OpenAI's form."""
    return f"chatcmpl-{passage.id.removeprefix('req_')}"


def standing(passage: Passage) -> bytes | None:
    """Where a request stands that is not being read yet, as an SSE comment; None for no news."""
    if passage.stage is Stage.WAITING and passage.position is not None:
        place = {"position": passage.position, "expected_wait_s": passage.expected_wait_s}
        return _comment("queue_position", place)
    if passage.stage is Stage.LOADING:
        layers = {"model": passage.model_id, "layers": passage.done, "total": passage.total}
        return _comment("loading_progress", layers)
    return None


def _comment(name: str, figures: dict[str, Any]) -> bytes:
    known = {key: value for key, value in figures.items() if value is not None}
    return comment(f"{name} {msgspec.json.encode(known).decode()}")
