"""How well, and how fast, a listener tells doubt and loops from talk about them.

`python -m tests.bench listening`: precision and recall per label, with the counts behind them,
- cross-validated on our own streams, each judged by a model that has not learned from it,
- on the held-out streams, which nothing was learned from and no bound was chosen by,
- on the development set, where it is present, with and without the prompts;
then false alarms in 100,000 tokens of ordinary prose and code, and the microseconds of a token.
"""

from collections.abc import Iterable
from time import process_time
from typing import Any

from fleetweb.core.listening import Listener
from fleetweb.core.listening.labelled import PIECE_CHARS, LabelledStream, Verdict, heard, parse
from fleetweb.core.listening.reading import shipped_model
from fleetweb.core.listening.report import Row, measures
from tests.listening.corpus import held_out, streams
from tests.listening.ordinary import KINDS, false_alarms
from tests.listening.train import Scored, cross_validated
from tests.streams import DEVELOPMENT


def main(argv: list[str]) -> dict[str, Any]:
    result = {
        "cross_validated": measures((_said(each), each.truth) for each in cross_validated()),
        "held_out": _measured(held_out()),
        "held_out_with_prompts": _measured(held_out(), prompts=True),
    }
    if DEVELOPMENT.is_file():
        lines = DEVELOPMENT.read_text(encoding="utf-8").splitlines()
        development = [parse(line) for line in lines]
        result["development"] = _measured(development)
        result["development_with_prompts"] = _measured(development, prompts=True)
    result["false_alarms_in_100k_tokens"] = {kind: false_alarms(kind) for kind in KINDS}
    result["microseconds_per_token"] = _cost_us("".join(stream.text for stream in streams()))
    return result


def _measured(labelled: Iterable[LabelledStream], *, prompts: bool = False) -> Row:
    return measures(
        (heard(stream.text, stream.prompt if prompts else ""), stream.verdict)
        for stream in labelled
    )


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
