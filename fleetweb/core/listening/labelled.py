"""Labelled streams: what a reader says they contain, and how often a listener agrees."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .listener import Listener, Signals

LABELS = ("contradiction", "recursive", "circling")
PIECE_CHARS = 4


class Label(StrEnum):
    """What a segment of a stream is."""

    PLAIN = "plain"
    CONTRADICTION = "contradiction"
    REVISIT = "revisit"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a stream, labelled."""

    text: str
    label: Label = Label.PLAIN


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a whole stream contains. `recursive` means three or more revisits."""

    contradiction: bool
    recursive: bool
    circling: bool


@dataclass(frozen=True, slots=True)
class LabelledStream:
    """A stream whose segments, joined with nothing between, are its text.

    `truth` is None where nobody has labelled it.
    """

    id: str
    segments: tuple[Segment, ...]
    hard_negative: bool = False
    truth: Verdict | None = None
    prompt: str = ""

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments)

    @property
    def verdict(self) -> Verdict:
        """The truth as told, else as the labels of the segments have it."""
        return self.truth or truth_of(self.segments)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a label's predictions compare with the truth, over a set of streams."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    @property
    def precision(self) -> float | None:
        """The share of what was said that was true. None where nothing was said."""
        said = self.true_positives + self.false_positives
        return self.true_positives / said if said else None

    @property
    def recall(self) -> float | None:
        """The share of what was true that was said. None where nothing was true."""
        true = self.true_positives + self.false_negatives
        return self.true_positives / true if true else None


def truth_of(segments: Iterable[Segment]) -> Verdict:
    """What labelled segments amount to: a contradiction, three revisits, a loop."""
    labels = [segment.label for segment in segments]
    return Verdict(
        contradiction=Label.CONTRADICTION in labels,
        recursive=labels.count(Label.REVISIT) >= 3,
        circling=Label.LOOP in labels,
    )


def agreement(pairs: Iterable[tuple[bool, bool]]) -> Agreement:
    """Counts over pairs of (predicted, true)."""
    counted = list(pairs)
    return Agreement(
        true_positives=counted.count((True, True)),
        false_positives=counted.count((True, False)),
        false_negatives=counted.count((False, True)),
    )


def heard(text: str, prompt: str = "") -> Verdict:
    """What a listener says of a text that is fed to it as thinking, about a token at a time.

    A label counts if it ever held.
    """
    listener = Listener(prompt=prompt)
    seen: set[str] = set()
    pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
    for at, piece in enumerate(pieces):
        listener.feed(piece, float(at), thinking=True)
        seen |= _holding(listener.signals(float(at)))
    listener.finish(float(len(pieces)))
    seen |= _holding(listener.signals(float(len(pieces))))
    return Verdict(**{label: label in seen for label in LABELS})


def _holding(signals: Signals) -> set[str]:
    return {label for label in LABELS if getattr(signals, label)}


def parse(line: str) -> LabelledStream:
    """One line of a labelled set. Raises ValueError where it is not one.

    Wants `segments: [{text, label?}]` or `text`; takes `id`, `hard_negative` and, as the truth,
    `contradiction`, `recursive` and `circling`, all three or none; and the `prompt`, where known.
    """
    row = json.loads(line)
    if not isinstance(row, dict) or not ("segments" in row or "text" in row):
        raise ValueError("a labelled stream needs segments or text")
    try:
        segments = tuple(
            Segment(str(part["text"]), Label(part.get("label", Label.PLAIN)))
            for part in row.get("segments") or [row]
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("segments must be objects with a text and a label") from error
    return LabelledStream(
        str(row.get("id", "")),
        segments,
        bool(row.get("hard_negative")),
        _truth(row),
        str(row.get("prompt") or ""),
    )


def _truth(row: Mapping[str, Any]) -> Verdict | None:
    if not all(isinstance(row.get(label), bool) for label in LABELS):
        return None
    return Verdict(**{label: row[label] for label in LABELS})
