"""How well, and how fast, a listener tells doubt and loops from talk about them.

`python -m tests.bench listening`: precision and recall per label, cross-validated on our own
streams (each judged by a model that has not learned from it) and on the development set, which
nothing was trained on, where it is present; and the cost of a token in microseconds.
"""

from time import process_time
from typing import Any

from fleetweb.core.listening import Listener
from fleetweb.core.listening.labelled import PIECE_CHARS, Verdict, heard, parse
from fleetweb.core.listening.reading import shipped_model
from fleetweb.core.listening.report import measures
from tests.listening.corpus import streams
from tests.listening.train import Scored, cross_validated
from tests.streams import DEVELOPMENT


def main(argv: list[str]) -> dict[str, Any]:
    result = {
        "cross_validated": measures((_said(each), each.truth) for each in cross_validated()),
        "microseconds_per_token": _cost_us("".join(stream.text for stream in streams())),
    }
    if DEVELOPMENT.is_file():
        lines = DEVELOPMENT.read_text(encoding="utf-8").splitlines()
        development = [parse(line) for line in lines]
        result["development"] = measures(
            (heard(stream.text), stream.verdict) for stream in development
        )
    return result


def _said(scored: Scored) -> Verdict:
    model = shipped_model()
    return Verdict(
        contradiction=scored.contradiction >= model.contradiction_from,
        recursive=scored.recursive >= model.recursive_from,
        circling=heard(scored.stream.text).circling,
    )


def _cost_us(text: str) -> float:
    """Of a token of four characters, at fifty a second, asked about as often as the desk asks."""
    listener = Listener()
    pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
    began = process_time()
    for at, piece in enumerate(pieces):
        listener.feed(piece, at / 50, thinking=True)
        if at % 6 == 0:
            listener.signals(at / 50)
    return round((process_time() - began) / len(pieces) * 1e6, 2)
