"""A recorded stream, line by line: server-sent events, or JSON lines of timed pieces."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_PREFILL = ": prefill_progress "


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stream. `at` is in seconds, None where the recording has no times.

    `read` is (tokens read, tokens in all) where the line tells of the prompt instead.
    """

    text: str = ""
    thinking: bool = False
    at: float | None = None
    read: tuple[int, int] | None = None


def pieces(lines: Iterable[str]) -> Iterator[Piece]:
    """The pieces of a recording of either kind. Raises ValueError, with the line's number."""
    for number, line in enumerate(lines, 1):
        try:
            yield from _piece(line.strip())
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(
                f"line {number} is neither an event nor a piece of a stream"
            ) from error


def _piece(line: str) -> Iterator[Piece]:
    if line.startswith(_PREFILL):
        read = next(iter(json.loads(line.removeprefix(_PREFILL)).values()))
        yield Piece(read=(int(read["processed_tokens"]), int(read["total_tokens"])))
    elif line.startswith("data:"):
        data = line.removeprefix("data:").strip()
        if data != "[DONE]":
            yield from _deltas(json.loads(data))
    elif line and not line.startswith((":", "event:", "id:", "retry:")):
        yield _timed(json.loads(line))


def _deltas(event: dict[str, Any]) -> Iterator[Piece]:
    for choice in event.get("choices", [])[:1]:
        delta = choice.get("delta") or {}
        kinds = (("reasoning_content", True), ("reasoning", True), ("content", False))
        for key, thinking in kinds:
            if isinstance(delta.get(key), str) and delta[key]:
                yield Piece(delta[key], thinking)


def _timed(row: dict[str, Any]) -> Piece:
    at = row.get("at")
    return Piece(str(row["text"]), bool(row.get("thinking")), None if at is None else float(at))


def timed(recorded: Iterable[Piece], step_s: float = 0.05) -> Iterator[tuple[float, Piece]]:
    """Each piece with its time; one that has none comes `step_s` after the piece before it."""
    at = 0.0
    for piece in recorded:
        at = at + step_s if piece.at is None else piece.at
        yield at, piece
