import pytest

from fleetweb.core.listening.labelled import (
    Agreement,
    Label,
    Segment,
    Verdict,
    agreement,
    parse,
    truth_of,
)


def test_reads_a_labelled_stream():
    stream = parse(
        '{"id": "s1", "segments": [{"text": "a "}, {"text": "b", "label": "loop"}],'
        ' "contradiction": false, "recursive": false, "circling": true, "hard_negative": false}'
    )

    assert stream.text == "a b"
    assert stream.truth == Verdict(contradiction=False, recursive=False, circling=True)
    assert truth_of(stream.segments) == stream.truth


def test_knows_the_prompt_where_it_is_told():
    assert parse('{"text": "a", "prompt": "Why?"}').prompt == "Why?"
    assert parse('{"text": "a", "prompt": null}').prompt == ""


def test_has_no_truth_where_none_is_told():
    assert parse('{"id": "s2", "text": "a"}').truth is None


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"segments": [1]}', '{"segments": [{}]}'])
def test_refuses_what_is_no_stream(line: str):
    with pytest.raises(ValueError, match=r".+"):
        parse(line)


def test_calls_a_stream_recursive_from_three_revisits_on():
    revisits = [Segment("again", Label.REVISIT)] * 3

    assert truth_of(revisits).recursive
    assert not truth_of(revisits[:2]).recursive


def test_counts_what_was_said_against_what_is_true():
    found = agreement([(True, True), (True, False), (False, True), (True, True), (False, False)])

    assert (found.precision, found.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (Agreement().precision, Agreement().recall) == (None, None)
