"""What presence would have said of recorded streams, as rows that become JSON lines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from ..evidence import Evidence
from .labelled import LABELS, LabelledStream, Verdict, agreement, heard
from .listener import Listener, Signals
from .transcript import Piece, timed

Row = dict[str, Any]


def changes(recorded: Iterable[Piece]) -> Iterator[Row]:
    """A row for each change of what holds in a recorded stream; the last row sums up."""
    listener = Listener()
    before, ever, at = Signals(listener.signals(0.0).phase), Counter[str](), 0.0
    chars: Counter[str] = Counter()
    for at, piece in timed(recorded):
        # Asked just before the piece comes, a silence that it ends is still there to be seen.
        for now, apply in ((at, None), (at, piece)):
            if apply is not None:
                _feed(listener, apply, at)
                chars["thinking" if apply.thinking else "answer"] += len(apply.text)
            signals = listener.signals(now)
            yield from _changed(before, signals, now, ever)
            before = signals
    listener.finish(at)
    yield from _changed(before, listener.signals(at), at, ever)
    yield {
        "summary": {
            "seconds": round(at, 3),
            "thinking_chars": chars["thinking"],
            "answer_chars": chars["answer"],
            **{label: ever[label] for label in (*LABELS, "silent")},
        }
    }


def _feed(listener: Listener, piece: Piece, at: float) -> None:
    if piece.read is not None:
        listener.progress(*piece.read, at)
    listener.feed(piece.text, at, thinking=piece.thinking)


def _changed(before: Signals, after: Signals, at: float, ever: Counter[str]) -> Iterator[Row]:
    if after.phase is not before.phase:
        yield {"at": round(at, 3), "phase": after.phase.value}
    for label in (*LABELS, "silent"):
        holds = getattr(after, label)
        if holds == getattr(before, label):
            continue
        ever[label] += holds
        row: Row = {"at": round(at, 3), "label": label, "holds": holds}
        yield row | {"evidence": [asdict(each) for each in _about(label, after)]} if holds else row


_ABOUT = {
    "contradiction": ("contradiction_",),
    "recursive": ("revisit",),
    "circling": ("cycle_",),
    "silent": ("gap_", "patience_"),
}


def _about(label: str, signals: Signals) -> Iterator[Evidence]:
    return (each for each in signals.evidence if each.signal.startswith(_ABOUT[label]))


def predictions(streams: Iterable[LabelledStream]) -> Iterator[Row]:
    """A row for each labelled stream; the last row sums up, with precision and recall."""
    found: list[tuple[Verdict, Verdict | None]] = []
    for stream in streams:
        said = heard(stream.text, stream.prompt)
        found.append((said, stream.truth))
        yield {"id": stream.id, **asdict(said)}
    known = ((said, true) for said, true in found if true is not None)
    yield {"summary": {"streams": len(found), **measures(known)}}


def measures(pairs: Iterable[tuple[Verdict, Verdict]]) -> Row:
    """Per label: counts, precision and recall of (found, true) pairs. Empty without pairs."""
    counted = list(pairs)
    found: Row = {}
    for label in LABELS if counted else ():
        result = agreement((getattr(said, label), getattr(true, label)) for said, true in counted)
        found[label] = {
            "precision": _rounded(result.precision),
            "recall": _rounded(result.recall),
            **asdict(result),
        }
    return found


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)
