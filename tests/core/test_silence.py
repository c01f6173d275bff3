import pytest

from fleetweb.core.listening.silence import Gap, Gaps, Phase, patience_s

LEARNED = Gaps.of(
    [Gap(Phase.THINKING, 0.05, 900)] * 400
    + [Gap(Phase.THINKING, 22.0, 900)]
    + [Gap(Phase.READING, 40.0, 900)] * 3
)


def test_knows_the_longest_silence_of_a_phase_and_size():
    assert LEARNED.longest_s(Phase.THINKING, 1000) == pytest.approx(22.0)


@pytest.mark.parametrize(
    ("phase", "tokens"),
    [
        (Phase.THINKING, 50_000),
        (Phase.ANSWERING, 900),
        (Phase.READING, 900),
        (Phase.THINKING, None),
    ],
)
def test_knows_nothing_of_what_was_not_seen_often_enough(phase: Phase, tokens: int | None):
    assert LEARNED.longest_s(phase, tokens) is None


def test_merging_keeps_the_longest_of_both():
    other = Gaps.of([Gap(Phase.THINKING, 30.0, 900), Gap(Phase.ANSWERING, 1.0)])

    assert LEARNED.merge(other).longest_s(Phase.THINKING, 900) == pytest.approx(30.0)
    assert LEARNED.merge(other) == LEARNED.merge(other).merge(Gaps())


def test_waits_longer_than_the_longest_silence_known():
    assert patience_s(LEARNED, Phase.THINKING, 900, own_s=0.0) > 22.0


def test_waits_minutes_where_nothing_was_learned():
    assert patience_s(None, Phase.READING, None, own_s=0.0) >= 600.0
    assert patience_s(None, Phase.ANSWERING, None, own_s=0.0) >= 60.0


def test_waits_longer_for_a_stream_that_has_come_back_from_a_longer_silence():
    assert patience_s(LEARNED, Phase.THINKING, 900, own_s=100.0) > 100.0
