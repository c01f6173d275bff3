"""Trains the model of `fleetweb/core/listening/doubt.py`: `python -m tests.listening.train`.

Logistic regression in plain Python: some thousand sparse examples need nothing more. Each of our
own streams is learned from twice, with its segments on lines of their own and all on one line,
because real ones come either way.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from operator import attrgetter
from pathlib import Path

from fleetweb.core.listening import doubt
from fleetweb.core.listening.cues import turns
from fleetweb.core.listening.doubt import Doubt, Model, likelihood
from fleetweb.core.listening.labelled import Label, LabelledStream, Verdict, agreement
from fleetweb.core.listening.lexing import Lexer
from fleetweb.core.listening.passages import Passage, Passages
from fleetweb.core.listening.reading import Reader
from fleetweb.core.listening.traits import Features, Traits

from .corpus import streams

JOINTS = ("\n\n", " ")
INSIDE = 0.6  # what a passage weighs that only goes on with what an earlier one began
FOLDS = 5
SEEDS = (1, 2, 3, 4)  # shuffles; a bound found on one of them hangs on two or three streams
COMPANIONS = 3
LEAST = 55  # hundredths; a label is not shown on less, however well that went on our streams
NEVER = 2.0
SLIGHT = 0.02  # a weight below this changes no judgement and is left out of the file


@dataclass(frozen=True, slots=True)
class Example:
    """A passage, and the label of the segment it belongs to. `begins`: that segment begins here."""

    found: Traits
    label: Label
    begins: bool


@cache
def examples(stream: LabelledStream) -> tuple[Example, ...]:
    """The passages of a stream, as the listener would cut them. Loops teach nothing here."""
    observer = Doubt(Model({}, {}))
    return tuple(
        Example(observer.observe(passage), label, begins)
        for passage in _passages(stream.text)
        for label, begins in [_label(stream, passage)]
        if label is not Label.LOOP
    )


def _passages(text: str) -> list[Passage]:
    cutter, lexer = Passages(turns), Lexer()
    closed = [cutter.feed(unit) for unit in lexer.finish(text)]
    return [passage for passage in [*closed, cutter.close()] if passage is not None]


def _label(stream: LabelledStream, passage: Passage) -> tuple[Label, bool]:
    """Of the segments that begin in the passage, one that is not plain; else what it is inside."""
    at, begun, inside = 0, set(), Label.PLAIN
    for segment in stream.segments:
        first = at + len(segment.text) - len(segment.text.lstrip())
        if passage.start <= first < passage.end:
            begun.add(segment.label)
        if at <= passage.start < at + len(segment.text):
            inside = segment.label
        at += len(segment.text)
    marked = begun - {Label.PLAIN}
    return (min(marked), True) if marked else (inside, inside is Label.PLAIN)


@dataclass(frozen=True, slots=True)
class Row:
    """One example for one question: what was found, as places in the weights, and the answer."""

    places: tuple[int, ...]
    values: tuple[float, ...]
    truth: float
    weight: float


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a passage, and how it is best learned; the numbers by cross-validation.

    `asked` gives truth and weight. `decay` is how tightly a feature is held (L2) that so many
    examples have. Features that fewer than `familiar` streams have are left out. `precision` is
    what a label must reach in cross-validation, so that 0.9 holds on text of another hand.
    """

    view: Callable[[Traits], Features]
    asked: Callable[[Example], tuple[float, float]]
    decay: Callable[[int], float]
    epochs: int
    rate: float
    familiar: int
    precision: float


def _contradicts(example: Example) -> tuple[float, float]:
    """A contradiction is often put plainly only in its second sentence."""
    return float(example.label is Label.CONTRADICTION), 1.0 if example.begins else INSIDE


def _revisits(example: Example) -> tuple[float, float]:
    """A revisit counts once, where it begins."""
    return float(example.label is Label.REVISIT), float(example.begins)


# Words are many, and rare ones are held as tightly as frequent ones; going back has few signs.
CONTRADICTS = Question(
    view=attrgetter("contradiction"),
    asked=_contradicts,
    decay=lambda count: 1.2 / max(1, count),
    epochs=15,
    rate=0.1,
    familiar=4,  # each is counted in both shapes
    precision=0.95,  # wording is the author's own: it misleads most where others write
)
REVISITS = Question(
    view=attrgetter("revisit"),
    asked=_revisits,
    decay=lambda _: 0.02,
    epochs=40,
    rate=0.15,
    familiar=1,
    precision=0.9,
)


def train(corpus: Iterable[LabelledStream]) -> Model:
    """A model of the streams given, with no bounds yet: nothing is shown by it."""
    learned = [examples(stream) for stream in corpus]
    return Model(contradiction=fit(learned, CONTRADICTS), revisit=fit(learned, REVISITS))


def fit(
    learned: Sequence[tuple[Example, ...]], question: Question, seed: int = 7
) -> dict[str, float]:
    """Weights by feature, by stochastic descent with AdaGrad."""
    names = _familiar(learned, question)
    rows = [_row(names, example, question) for some in learned for example in some]
    rows = [row for row in rows if row.weight]
    counts = Counter(place for row in rows for place in row.places)
    decay = [question.decay(counts[place]) for place in range(len(names))]
    weights, squares = [0.0] * len(names), [1e-3] * len(names)
    decay[names["bias"]] = 0.0
    order = random.Random(seed)
    for _ in range(question.epochs):
        order.shuffle(rows)
        for row in rows:
            _step(row, question.rate, weights, squares, decay)
    return dict(zip(names, weights, strict=True))


def _familiar(learned: Iterable[tuple[Example, ...]], question: Question) -> dict[str, int]:
    """The features that enough streams have, with their places."""
    seen = Counter(n for some in learned for n in {n for e in some for n in question.view(e.found)})
    kept = sorted(name for name in seen if seen[name] >= question.familiar)
    return {name: place for place, name in enumerate(kept)}


def _row(names: Mapping[str, int], example: Example, question: Question) -> Row:
    found = question.view(example.found)
    kept = [(names[name], value) for name, value in found.items() if name in names]
    places, values = zip(*kept, strict=True)
    return Row(places, values, *question.asked(example))


def _step(
    row: Row, rate: float, weights: list[float], squares: list[float], decay: list[float]
) -> None:
    total = sum(weights[place] * value for place, value in zip(row.places, row.values, strict=True))
    error = row.weight * (likelihood(total) - row.truth)
    for place, value in zip(row.places, row.values, strict=True):
        slope = error * value + decay[place] * weights[place]
        squares[place] += slope * slope
        weights[place] -= rate * slope / math.sqrt(squares[place])


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely a model that has never seen a stream finds its two labels, and what is true."""

    stream: LabelledStream
    contradiction: float
    recursive: float

    @property
    def truth(self) -> Verdict:
        return self.stream.verdict


def score(model: Model, stream: LabelledStream) -> Scored:
    """The highest likelihoods a reader with `model` ever comes to while it reads the stream."""
    reader = Reader(model=model)
    contradiction = recursive = 0.0
    for at in range(0, len(stream.text) + 1, 16):
        reader.read(stream.text[at : at + 16], thinking=True)
        contradiction = max(contradiction, _contradiction(reader))
        recursive = max(recursive, reader.recursion_likelihood)
    reader.finish()
    return Scored(
        stream,
        max(contradiction, _contradiction(reader)),
        max(recursive, reader.recursion_likelihood),
    )


def _contradiction(reader: Reader) -> float:
    return reader.last_judged.contradiction if reader.last_judged else 0.0


def cross_validated(folds: int = FOLDS, seed: int = SEEDS[0]) -> list[Scored]:
    """Every stream in both shapes, scored by a model trained without it or its companions.

    Our streams are short and real ones are long, with more room for a false alarm. So each is
    scored in the middle of ordinary streams from the same fold.
    """
    shapes = [streams(joint) for joint in JOINTS]
    dice = random.Random(seed)
    order = list(range(len(shapes[0])))
    dice.shuffle(order)
    scored: list[Scored] = []
    for fold in range(folds):
        held = set(order[fold::folds])
        model = train(s for shape in shapes for n, s in enumerate(shape) if n not in held)
        for shape in shapes:
            unseen = [shape[n] for n in sorted(held)]
            plain = [s for s in unseen if _is_ordinary(s)]
            scored += [score(model, _among(dice.sample(plain, COMPANIONS), s)) for s in unseen]
    return scored


def _is_ordinary(stream: LabelledStream) -> bool:
    labels = {segment.label for segment in stream.segments}
    return labels == {Label.PLAIN} and not stream.hard_negative


def _among(companions: Sequence[LabelledStream], stream: LabelledStream) -> LabelledStream:
    first, *others = companions
    parts = (first, stream, *others)
    return replace(stream, segments=tuple(part for each in parts for part in each.segments))


def bound(pairs: Sequence[tuple[float, bool]], precision: float) -> float:
    """The lowest likelihood from which on the label is precise enough; NEVER where none is."""
    for hundredth in range(LEAST, 100):
        found = agreement((likely >= hundredth / 100, true) for likely, true in pairs)
        if (found.precision or 0.0) >= precision:
            return hundredth / 100
    return NEVER


def bounded(model: Model, scored: Sequence[Scored]) -> Model:
    """`model` with the bounds that cross-validation supports."""
    contradiction = [(s.contradiction, s.truth.contradiction) for s in scored]
    recursive = [(s.recursive, s.truth.recursive) for s in scored]
    return replace(
        model,
        contradiction_from=bound(contradiction, CONTRADICTS.precision),
        recursive_from=bound(recursive, REVISITS.precision),
    )


def _as_json(model: Model) -> str:
    row = asdict(model)
    for question in ("contradiction", "revisit"):
        kept = {name: round(weight, 3) for name, weight in sorted(row[question].items())}
        row[question] = {name: weight for name, weight in kept.items() if abs(weight) >= SLIGHT}
    return json.dumps(row, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    whole = [stream for joint in JOINTS for stream in streams(joint)]
    scored = [each for seed in SEEDS for each in cross_validated(seed=seed)]
    model = bounded(train(whole), scored)
    path = Path(doubt.__file__).with_name("doubt_model.json")
    path.write_text(_as_json(model), encoding="utf-8")
    print(f"{path.name}: from {model.contradiction_from} and {model.recursive_from}")


if __name__ == "__main__":
    main()
