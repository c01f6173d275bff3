"""Long texts that nobody thinks in: what a listener says of them is a false alarm."""

import sysconfig
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fleetweb.core.listening import Listener
from fleetweb.core.listening.labelled import LABELS

PIECE_CHARS = 16
CHARS_PER_TOKEN = 4
FILES = 60  # of a kind
_SHORTEST, _LONGEST = 2_000, 40_000  # characters of a file

_LIBRARY = Path(sysconfig.get_path("stdlib"))
_PACKAGES = Path(sysconfig.get_path("purelib"))
_PROJECT = Path(__file__).resolve().parents[2]

KINDS = {
    "prose": [
        (_PROJECT, "*.md"),
        (_PACKAGES, "*.dist-info/METADATA"),
        (_PACKAGES, "*.dist-info/**/LICENSE*"),
    ],
    "code": [(_PROJECT / "fleetweb", "**/*.py"), (_LIBRARY, "*.py")],
}


def texts(kind: str) -> Iterator[str]:
    """Some files of a kind that every checkout with an environment has, in a fixed order."""
    every = [sorted(folder.glob(pattern)) for folder, pattern in KINDS[kind]]
    for paths in every:
        read = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
        yield from islice(
            (text[:_LONGEST] for text in read if len(text) >= _SHORTEST), FILES // len(every)
        )


def alarms(text: str) -> Counter[str]:
    """How often each label begins to hold while `text` is fed as thinking."""
    listener = Listener()
    begun: Counter[str] = Counter()
    held: set[str] = set()
    for at in range(0, len(text), PIECE_CHARS):
        listener.feed(text[at : at + PIECE_CHARS], at / 100, thinking=True)
        signals = listener.signals(at / 100)
        holding = {label for label in LABELS if getattr(signals, label)}
        begun.update(holding - held)
        held = holding
    return begun


def false_alarms(kind: str) -> dict[str, float]:
    """Per label, false alarms in 100,000 tokens of texts of a kind; and how many tokens it were."""
    counted: Counter[str] = Counter()
    tokens = 0
    for text in texts(kind):
        counted += alarms(text)
        tokens += len(text) // CHARS_PER_TOKEN
    return {"tokens": tokens} | {
        label: round(counted[label] / tokens * 100_000, 2) for label in LABELS
    }
