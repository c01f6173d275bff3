"""How likely a passage of thought is to run into a contradiction, or to go over settled work again.

A small logistic model weighs what `traits.py` finds in a passage. It was trained by
`tests/listening/train.py` on the streams kept beside that script.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from .cues import cues
from .passages import Passage
from .traits import Features, Past, carried_over, features

_WEIGHTS = (1, 1, 2, 1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a passage is a contradiction or a revisit, each 0..1."""

    contradiction: float
    revisit: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Model:
    """Two weights by feature, for a contradiction and for a revisit, and from where on to tell.

    A label that was not precise enough when the model was trained has a bound above 1: never shown.
    """

    weights: Mapping[str, Sequence[float]]
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
        contradiction = revisit = 0.0
        for name, value in self.observe(passage).items():
            weights = self._model.weights.get(name)
            if weights is not None:
                contradiction += weights[0] * value
                revisit += weights[1] * value
        return Judgement(
            contradiction=probability(contradiction),
            revisit=probability(revisit),
            start=passage.start,
            end=passage.end,
        )

    def observe(self, passage: Passage) -> Features:
        """The features of `passage`, which then belongs to the past."""
        groups = cues(passage.units)
        found = features(passage, self._past, groups)
        before, self._before = self._before, carried_over(found)
        self._past.add(passage, (group for _, group in groups))
        return found | before


def recurrence(likelihoods: Iterable[float]) -> float:
    """How sure it is that there are three or more revisits, 0..1; two certain ones make 0.4.

    Only the four likeliest count, for twenty passages that might be one are no revisit yet; and the
    third counts twice, because it is the one that makes them three.
    """
    likeliest = nlargest(len(_WEIGHTS), likelihoods)
    weighed = (weight * likely for weight, likely in zip(_WEIGHTS, likeliest, strict=False))
    return sum(weighed) / sum(_WEIGHTS)


def probability(total: float) -> float:
    """What a logistic model makes of a weighted sum."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
