"""Words about doubt are claims: what is shown must be right nine times in ten."""

import pytest

from fleetweb.core.listening.labelled import LABELS, Verdict, heard, parse
from fleetweb.core.listening.reading import shipped_model
from fleetweb.core.listening.report import Row, measures
from tests.listening.corpus import held_out, streams
from tests.listening.train import cross_validated
from tests.streams import DEVELOPMENT, needs_streams


@pytest.fixture(scope="module")
def unseen() -> Row:
    """Measures on our own streams, each judged by a model that has not learned from it."""
    model = shipped_model()
    return measures(
        (
            Verdict(
                scored.contradiction >= model.contradiction_from,
                scored.recursive >= model.recursive_from,
                circling=False,
            ),
            scored.truth,
        )
        for scored in cross_validated()
    )


@pytest.mark.parametrize("label", ["contradiction", "recursive"])
def test_doubt_is_shown_only_as_precisely_as_promised(unseen: Row, label: str):
    assert unseen[label]["precision"] >= 0.9
    assert unseen[label]["recall"] > 0.4


def test_loops_are_told_from_repetition_on_purpose():
    found = measures((heard(each.text), each.verdict) for each in streams())

    assert found["circling"]["precision"] >= 0.95
    assert found["circling"]["recall"] >= 0.95


@pytest.mark.parametrize("with_prompt", [False, True])
def test_holds_up_on_streams_that_nothing_was_chosen_by(with_prompt: bool):
    found = measures(
        (heard(each.text, each.prompt if with_prompt else ""), each.verdict) for each in held_out()
    )

    assert all(found[label]["precision"] >= 0.85 for label in LABELS)
    assert found["contradiction"]["recall"] >= 0.5
    assert found["recursive"]["recall"] >= 0.7
    assert found["circling"]["recall"] >= 0.9


@needs_streams
def test_holds_up_on_streams_of_another_hand():
    development = [parse(line) for line in DEVELOPMENT.read_text(encoding="utf-8").splitlines()]
    known = [(heard(each.text), each.truth) for each in development if each.truth is not None]
    found = measures(known)

    assert len(known) == len(development)
    assert all(found[label]["precision"] >= 0.85 for label in LABELS)
    assert found["circling"]["recall"] >= 0.95
