import pytest

from fleetweb.core.listening.transcript import Piece, pieces, timed


def test_reads_the_events_of_a_stream():
    lines = [
        ": keep-alive",
        "",
        ': prefill_progress {"PrefillProgressChunk":{"processed_tokens":5,"total_tokens":9}}',
        'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "Hmm"}}]}',
        'data: {"choices": [{"index": 0, "delta": {"content": "Yes"}}]}',
        ': generation_stats {"prompt_tps": 1.0}',
        "data: [DONE]",
    ]

    assert list(pieces(lines)) == [Piece(read=(5, 9)), Piece("Hmm", True), Piece("Yes")]


def test_reads_timed_pieces():
    line = '{"at": 1.5, "text": "Hmm", "thinking": true}'

    assert list(pieces([line])) == [Piece("Hmm", True, 1.5)]


@pytest.mark.parametrize("line", ["data: {oops", '{"at": 1}', "[1]", '{"text": "a", "at": "soon"}'])
def test_says_which_line_it_cannot_read(line: str):
    with pytest.raises(ValueError, match="line 2 is neither"):
        list(pieces(["", line]))


def test_spaces_out_what_has_no_time():
    recorded = [Piece("a"), Piece("b", at=2.0), Piece("c")]

    assert [at for at, _ in timed(recorded, step_s=0.5)] == [0.5, 2.0, 2.5]
