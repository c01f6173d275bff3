"""How likely a passage of thought is to run into a contradiction, or to go over settled work again.

A small logistic model weighs what `traits.py` finds in a passage. It was trained by
`tests/listening/train.py` on the streams kept beside that script.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cues import cues
from .passages import Passage
from .past import Past
from .traits import Features, Traits, traits


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a passage is a contradiction or a revisit, each 0..1."""

    contradiction: float
    revisit: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by feature for two questions, and from which likelihood on a label is shown.

    A label that was not precise enough when the model was trained has a bound above 1: never shown.
    """

    contradiction: Mapping[str, float]
    revisit: Mapping[str, float]
    contradiction_from: float = 2.0
    recursive_from: float = 2.0


def load_model() -> Model:
    """The model that ships with fleetweb."""
    path = Path(__file__).with_name("doubt_model.json")
    return Model(**json.loads(path.read_text(encoding="utf-8")))


class Doubt:
    """Judges the passages of one stream in order."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._past = Past()
        self._before: Features = {}

    def judge(self, passage: Passage) -> Judgement:
        found = self.observe(passage)
        return Judgement(
            contradiction=probability(self._model.contradiction, found.contradiction),
            revisit=probability(self._model.revisit, found.revisit),
            start=passage.start,
            end=passage.end,
        )

    def observe(self, passage: Passage) -> Traits:
        """What is to be weighed about `passage`, which then belongs to the past."""
        groups = cues(passage.units)
        found = traits(passage, self._past, groups, self._before)
        self._before = found.carried_over()
        self._past.add(passage, (group for _, group in groups))
        return found


def at_least(count: int, likelihoods: Iterable[float]) -> float:
    """How likely `count` or more of independent events are, each with its own likelihood."""
    exactly = [1.0] + [0.0] * count  # the last place collects "count or more"
    for likely in likelihoods:
        for n in range(count, 0, -1):
            stays = 1.0 if n == count else 1.0 - likely
            exactly[n] = exactly[n] * stays + exactly[n - 1] * likely
        exactly[0] *= 1.0 - likely
    return exactly[count]


def probability(weights: Mapping[str, float], found: Features) -> float:
    """What a logistic model makes of `found`."""
    return likelihood(sum(weights.get(name, 0.0) * value for name, value in found.items()))


def likelihood(total: float) -> float:
    """A weighed sum as a number between 0 and 1."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
