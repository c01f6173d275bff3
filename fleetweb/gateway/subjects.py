"""Whom requests were ever added up for: machines, models, providers. Few, and read at once."""

from dataclasses import dataclass
from typing import Self

from fleetweb.core.naming import full_id

from .rollup_models import RollupSubject
from .tally import Subject

__all__ = ["Subject", "Subjects"]


@dataclass(frozen=True, slots=True)
class Subjects:
    """All of them with the keys of their rows, in the order of their names."""

    keys: dict[Subject, int]

    @classmethod
    def read(cls) -> Self:
        """One query."""
        rows = RollupSubject.objects.order_by("name", "model")
        return cls(
            {
                Subject(*names): key
                for key, *names in rows.values_list("pk", "scope", "name", "model")
            }
        )

    def names(self, scope: str) -> tuple[str, ...]:
        """All of a kind, such as all models."""
        return tuple(s.name for s in self.keys if s.scope == scope and not s.model)

    def full_model(self, written: str) -> str:
        """The id of a model that people write by its last part, in any case; else as written."""
        return full_id(written, self.names(RollupSubject.MODEL)) or written

    def pairs(self, model: str = "") -> tuple[Subject, ...]:
        """Every machine with every model it ever answered with, or with `model`."""
        nodes = (s for s in self.keys if s.scope == RollupSubject.NODE and s.model)
        return tuple(s for s in nodes if not model or s.model == model)
