"""Recorded streams at their own times: what lives is never called silent, what died is."""

from collections.abc import Iterator

import pytest

from fleetweb.core.listening import Listener, Signals
from fleetweb.core.listening.silence import Gaps
from fleetweb.core.listening.transcript import Piece, pieces
from tests.recordings import load, needs_recordings

pytestmark = needs_recordings

HEALTHY = ("chat-stream-thinking", "chat-stream", "gen-stream-150")
KILLED = "kill-worker-in-instance-stream"
LOOKED_EVERY_S = 0.25
# Hundreds of pieces are needed before a longest silence counts; the recordings are short.
TIMES_HEARD = 60


def recorded(name: str, slower: float = 1.0) -> tuple[list[tuple[float, Piece]], float]:
    """The pieces with their times, and when the stream ended, in seconds."""
    reads = load(f"{name}.timing.json")
    found = [(at * slower, piece) for at, line in lines(reads) for piece in pieces([line])]
    return found, reads[-1][0] * slower


def lines(reads: list[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """The lines of the events, each with the time of the read that ended it."""
    rest = ""
    for at, text in reads:
        *whole, rest = (rest + text).split("\n")
        yield from ((at, line) for line in whole if line.startswith((":", "data:")))


def heard(name: str, gaps: Gaps | None = None, slower: float = 1.0) -> Iterator[Signals]:
    """What is shown every quarter of a second, and just before every piece."""
    found, ended = recorded(name, slower)
    listener, now = Listener(gaps, started_at=0.0), 0.0
    for at, piece in [*found, (ended, Piece())]:
        while now < at:
            yield listener.signals(now)
            now += LOOKED_EVERY_S
        yield listener.signals(at)
        take(listener, piece, at)
    yield listener.signals(ended)


def take(listener: Listener, piece: Piece, at: float) -> None:
    if piece.read is not None:
        listener.progress(*piece.read, at)
    listener.feed(piece.text, at, thinking=piece.thinking)


def learned(*names: str, slower: float = 1.0) -> Gaps:
    gaps = Gaps()
    for name in names:
        listener = Listener(started_at=0.0)
        for at, piece in recorded(name, slower)[0]:
            take(listener, piece, at)
        gaps = gaps.merge(Gaps.of(listener.ended_gaps() * TIMES_HEARD))
    return gaps


@pytest.mark.parametrize("slower", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_stream_is_never_called_anything_but_at_work(name, slower):
    for gaps in (None, learned(*HEALTHY, slower=slower)):
        shown = list(heard(name, gaps, slower))
        assert not any(s.silent or s.circling or s.recursive or s.contradiction for s in shown)


def test_a_stream_whose_machine_was_killed_is_silent_although_exo_keeps_it_alive():
    shown = list(heard(KILLED, learned("gen-stream-150")))
    assert shown[-1].silent
    gap = shown[-1].evidence[0]
    assert (gap.signal, gap.source) == ("gap_ms", "stream")
    assert gap.value > 30_000 > gap.baseline


def test_nobody_is_accused_by_default_in_the_first_minute():
    assert not any(signals.silent for signals in heard(KILLED))
