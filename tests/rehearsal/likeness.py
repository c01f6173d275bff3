"""Is an answer of the rehearsal built like exo's? Keys and kinds of values, at every level."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|.+\.(json|safetensors)")


CARDS = ("modelCard", "model_card")


def kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "object"


@dataclass
class Shape:
    """Every path of some documents: what kinds of values stand there, and which keys.

    Keys that are ids count as one, written `*`; a model card is the same wherever it stands.
    """

    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    keys: dict[str, list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, value: Any, path: str = "") -> "Shape":
        self.kinds[path].add(kind(value))
        if isinstance(value, list):
            for item in value:
                self.add(item, f"{path}[]")
        elif isinstance(value, dict):
            self._add_object(value, path)
        return self

    def _add_object(self, value: dict[str, Any], path: str) -> None:
        if not any(_ID.fullmatch(key) for key in value):
            self.keys[path].append(frozenset(value))
        for key, item in value.items():
            self.add(item, key if key in CARDS else f"{path}.{'*' if _ID.fullmatch(key) else key}")

    def always(self, path: str) -> frozenset[str]:
        return frozenset.intersection(*self.keys[path])

    def ever(self, path: str) -> frozenset[str]:
        return frozenset.union(*self.keys[path])


def shape(documents: Iterable[Any]) -> Shape:
    found = Shape()
    for document in documents:
        found.add(document)
    return found


def differences(rehearsed: Shape, recorded: Shape) -> list[str]:
    """Where the rehearsal has what exo has not, or lacks what exo always has."""
    found = [
        f"{path}: {', '.join(sorted(kinds - recorded.kinds.get(path, set())))} unknown to exo"
        for path, kinds in rehearsed.kinds.items()
        if not kinds <= recorded.kinds.get(path, set())
    ]
    for path, variants in rehearsed.keys.items():
        if path in recorded.keys:
            lacking = [recorded.always(path) - keys for keys in variants]
            found += [f"{path}: lacks {', '.join(sorted(names))}" for names in lacking if names]
    return found


def missing(rehearsed: Shape, recorded: Shape) -> list[str]:
    """Paths of a recorded situation that the rehearsal does not have in it.

    What is inside model cards is left out: it differs from model to model.
    """
    paths = {path for path in recorded.kinds if not path.startswith(CARDS)}
    return sorted(paths - set(rehearsed.kinds))
