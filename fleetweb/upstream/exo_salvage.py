"""Reading JSON that is not quite as expected: what does not fit costs itself alone."""

import types
from collections import Counter
from functools import cache
from typing import Any, Union, get_args, get_origin

import msgspec

MOST_FLAWS = 20
# UnicodeDecodeError comes from a broken string, RecursionError from brackets nested by thousands.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
LOST: Any = object()


class Flaws:
    """What had to be left out, in our own words and field names, never in content."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def note(self, phrase: str) -> None:
        self._counts[phrase] += 1

    def phrases(self) -> tuple[str, ...]:
        """The first 20, each once, with how often it happened."""
        return tuple(
            phrase if count == 1 else f"{phrase} ({count} times)"
            for phrase, count in list(self._counts.items())[:MOST_FLAWS]
        )


def salvage(raw: msgspec.Raw | bytes, kind: Any, path: str, flaws: Flaws) -> Any:
    """What of `raw` fits `kind`, down to a single field; LOST where nothing does.

    Tries the whole first, and goes one level down only where that fails. `path` is made of field
    names and stands in the flaws.
    """
    try:
        return _decoder(kind).decode(raw)
    except UNREADABLE:
        kind = _without_none(kind)
        found = _salvage_parts(raw, kind, path, flaws)
    if found is LOST:
        flaws.note(f"{path} could not be read")
    return found


def _salvage_parts(raw: msgspec.Raw | bytes, kind: Any, path: str, flaws: Flaws) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    # A map of ids to ids is one thing: half an assignment would tell a wrong story.
    if origin is dict and inner[1] is not str:
        return _salvage_dict(raw, inner[1], path, flaws)
    if origin is list:
        return _salvage_list(raw, inner[0], path, flaws)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _salvage_struct(raw, kind, path, flaws)
    return LOST


def _salvage_dict(raw: msgspec.Raw | bytes, kind: Any, path: str, flaws: Flaws) -> Any:
    pieces = _pieces(raw, dict[str, msgspec.Raw])
    if pieces is LOST:
        return LOST
    found = ((key, salvage(piece, kind, path, flaws)) for key, piece in pieces.items())
    return {key: value for key, value in found if value is not LOST}


def _salvage_list(raw: msgspec.Raw | bytes, kind: Any, path: str, flaws: Flaws) -> Any:
    pieces = _pieces(raw, list[msgspec.Raw])
    if pieces is LOST:
        return LOST
    found = (salvage(piece, kind, path, flaws) for piece in pieces)
    return [value for value in found if value is not LOST]


def _salvage_struct(
    raw: msgspec.Raw | bytes, kind: type[msgspec.Struct], path: str, flaws: Flaws
) -> Any:
    pieces = _pieces(raw, dict[str, msgspec.Raw])
    if pieces is LOST:
        return LOST
    values = {}
    for field in msgspec.structs.fields(kind):
        value = LOST
        if field.encode_name in pieces:
            below = f"{path}.{field.encode_name}".lstrip(".")
            value = salvage(pieces[field.encode_name], field.type, below, flaws)
        if value is not LOST:
            values[field.name] = value
        elif field.required:
            return LOST
    return kind(**values)


def _pieces(raw: msgspec.Raw | bytes, kind: Any) -> Any:
    try:
        return _decoder(kind).decode(raw)
    except UNREADABLE:
        return LOST


def _without_none(kind: Any) -> Any:
    """`X` of `X | None`; any other union stays as it is, a leaf."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    members = [member for member in get_args(kind) if member is not type(None)]
    return members[0] if len(members) == 1 else kind


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
