"""Trains the model of `fleetweb/core/doubt.py`: `python -m tests.listening.train`.

Logistic regression in plain Python: a few thousand sparse examples need nothing more. Each of our
own streams is learned from twice, with its segments on lines of their own and all on one line,
because real ones come either way.
"""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fleetweb.core.listening import doubt
from fleetweb.core.listening.cues import turns
from fleetweb.core.listening.doubt import Doubt, Features, Model, probability
from fleetweb.core.listening.labelled import Label, LabelledStream, Verdict, agreement
from fleetweb.core.listening.lexing import Lexer
from fleetweb.core.listening.passages import Passage, Passages
from fleetweb.core.listening.reading import Reader

from .corpus import streams

JOINTS = ("\n\n", " ")
EPOCHS = 40
RATE = 0.15
DECAY = 0.02  # L2, chosen by cross-validation
FOLDS = 5
SEEDS = (1, 2, 3, 4)  # shuffles; a bound found on one of them hangs on two or three streams
COMPANIONS = 3
PRECISION = 0.9  # what a label that is shown must reach in cross-validation
LEAST = 60  # hundredths; a label is not shown on less, however well that went on our streams
NEVER = 2.0


@dataclass(frozen=True, slots=True)
class Example:
    """A passage and what its beginning is labelled. None: inside a segment that began earlier."""

    found: Features
    label: Label | None


def examples(stream: LabelledStream) -> list[Example]:
    """The passages of a stream, as the listener would cut them. Loops teach nothing here."""
    observer = Doubt(Model({}, {}))
    return [
        Example(observer.observe(passage), label)
        for passage in _passages(stream.text)
        for label in [_label(stream, passage)]
        if label is not Label.LOOP
    ]


def _passages(text: str) -> list[Passage]:
    cutter, lexer = Passages(turns), Lexer()
    closed = [cutter.feed(unit) for unit in lexer.finish(text)]
    return [passage for passage in [*closed, cutter.close()] if passage is not None]


def _label(stream: LabelledStream, passage: Passage) -> Label | None:
    """The label of the segment that begins in the passage; of several, one that is not plain."""
    at, begun, inside = 0, set(), Label.PLAIN
    for segment in stream.segments:
        first = at + len(segment.text) - len(segment.text.lstrip())
        if passage.start <= first < passage.end:
            begun.add(segment.label)
        if at <= passage.start < at + len(segment.text):
            inside = segment.label
        at += len(segment.text)
    marked = begun - {Label.PLAIN}
    if marked:
        return min(marked)
    return Label.PLAIN if inside is Label.PLAIN else Label.LOOP if inside is Label.LOOP else None


def fit(rows: Sequence[tuple[Features, float]], seed: int = 7) -> dict[str, float]:
    """Weights by stochastic descent with AdaGrad, positives and negatives weighing the same way."""
    weights: dict[str, float] = defaultdict(float)
    squares: dict[str, float] = defaultdict(lambda: 1e-3)
    shuffled = list(rows)
    order = random.Random(seed)
    for _ in range(EPOCHS):
        order.shuffle(shuffled)
        for found, truth in shuffled:
            error = probability(weights, found) - truth
            for name, value in found.items():
                slope = error * value + (DECAY * weights[name] if name != "bias" else 0.0)
                squares[name] += slope * slope
                weights[name] -= RATE * slope / math.sqrt(squares[name])
    return dict(weights)


def train(corpus: Iterable[LabelledStream]) -> Model:
    """A model of the streams given, with no bounds yet: nothing is shown by it."""
    learned = [example for stream in corpus for example in examples(stream)]
    return Model(
        contradiction=fit(_rows(learned, Label.CONTRADICTION)),
        revisit=fit(_rows(learned, Label.REVISIT)),
    )


def _rows(learned: Iterable[Example], label: Label) -> list[tuple[Features, float]]:
    return [
        (example.found, float(example.label is label))
        for example in learned
        if example.label is not None
    ]


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


def bound(pairs: Sequence[tuple[float, bool]]) -> float:
    """The lowest likelihood from which on the label is precise enough; NEVER where none is."""
    for hundredth in range(LEAST, 100):
        found = agreement((likely >= hundredth / 100, true) for likely, true in pairs)
        if (found.precision or 0.0) >= PRECISION:
            return hundredth / 100
    return NEVER


def bounded(model: Model, scored: Sequence[Scored]) -> Model:
    """`model` with the bounds that cross-validation supports."""
    return replace(
        model,
        contradiction_from=bound([(s.contradiction, s.truth.contradiction) for s in scored]),
        recursive_from=bound([(s.recursive, s.truth.recursive) for s in scored]),
    )


def _as_json(model: Model) -> str:
    row = asdict(model)
    for question in ("contradiction", "revisit"):
        row[question] = {key: round(value, 4) for key, value in sorted(row[question].items())}
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
