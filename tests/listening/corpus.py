"""Our own labelled streams, as the training script, the bench and the tests read them.

The files in `streams/` are plain text. `# domain` opens a stream (`; hard` marks one that talks
about contradiction, doubt or repetition without being in it); every line is a segment. A segment
begins with `C| ` where the thinker runs into a contradiction, with `R| ` where it goes over settled
work again, with `L9| ` where it is repeated nine times, and with `N9,4| ` where it is repeated nine
times while `{n}` counts up from 4. `⏎` is a line end inside a segment. All else is plain.
"""

import re
from pathlib import Path

from fleetweb.core.listening.labelled import Label, LabelledStream, Segment, parse

STREAMS = Path(__file__).with_name("streams")
HELD_OUT = STREAMS / "held_out.jsonl"
_MARK = re.compile(r"(?P<kind>[CRLN])(?P<times>\d+)?(?:,(?P<first>\d+))?\| ?")
_LABELS = {"C": Label.CONTRADICTION, "R": Label.REVISIT, "L": Label.LOOP, "N": Label.LOOP}


def streams(joint: str = "\n\n") -> list[LabelledStream]:
    """Every stream of the corpus, in the order of the files, its segments joined by `joint`."""
    return [
        stream
        for path in sorted(STREAMS.glob("*.txt"))
        for stream in _parse(path.stem, path.read_text(encoding="utf-8"), joint)
    ]


def held_out() -> list[LabelledStream]:
    """The streams that nothing learns from and no bound is chosen by; see `streams/README.md`."""
    return [parse(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]


def _parse(name: str, text: str, joint: str) -> list[LabelledStream]:
    blocks = re.split(r"^# (?=[\w ()-]+(?:; hard)?$)", text, flags=re.MULTILINE)[1:]
    return [_stream(f"{name}-{number:03}", block, joint) for number, block in enumerate(blocks, 1)]


def _stream(id_: str, block: str, joint: str) -> LabelledStream:
    title, _, body = block.rstrip("\n").partition("\n")
    segments = tuple(_segment(line, joint) for line in body.split("\n"))
    return LabelledStream(id_, segments, hard_negative=title.endswith("; hard"))


def _segment(line: str, joint: str) -> Segment:
    mark = _MARK.match(line)
    if mark is None:
        return Segment(line + joint, Label.PLAIN)
    text = line[mark.end() :].replace("⏎", "\n")
    if mark["times"]:
        first = int(mark["first"] or 0)
        text = "".join(text.replace("{n}", str(first + n)) for n in range(int(mark["times"])))
    return Segment(text + joint, _LABELS[mark["kind"]])
