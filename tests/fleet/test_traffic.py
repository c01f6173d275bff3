"""What processes tell of the requests in their hands, and what is kept of it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fleetweb.core.evidence import Evidence
from fleetweb.core.forecast import Estimate, Forecast
from fleetweb.core.streams import Answered, Outcome, Stage, Stream
from fleetweb.fleet import traffic
from fleetweb.fleet.traffic import ANSWERED_SHOWN, FORGOTTEN_AFTER_S, Traffic

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(traffic, "time", clock)
    return clock


@pytest.fixture
def news():
    return []


@pytest.fixture
def told(news):
    return Traffic(lambda: news.append(True))


def a_stream(name):
    return Stream(
        id=name,
        caller="owner",
        stage=Stage.THINKING,
        asked_at=NOW,
        stage_since=NOW,
        model_id="a-model",
        cluster="home",
        tokens=7,
        said_at=NOW,
        recursive=True,
        evidence=(Evidence("revisits", 4, 3, "stream"),),
        forecast=Forecast(Estimate(1.0, 2.0), Estimate(30.0, 70.0)),
    )


def an_answer(number):
    ended_at = NOW + timedelta(seconds=number)
    return Answered(str(number), "owner", Outcome.OK, NOW, ended_at, "a-model")


def tell(told, process, streams=(), answered=()):
    """As it comes over the wire."""
    told.told(process, msgspec.to_builtins(streams), msgspec.to_builtins(answered))


def test_nothing_is_in_hand_before_anybody_said_so(told):
    assert (told.streams, told.answered) == ((), ())


def test_a_stream_arrives_as_it_was_sent(told, news):
    tell(told, "p", [a_stream("a")])
    assert told.streams == (a_stream("a"),)
    assert news == [True]


def test_what_a_process_says_replaces_what_it_said(told):
    tell(told, "p", [a_stream("a"), a_stream("b")])
    tell(told, "p", [a_stream("b")])
    assert [stream.id for stream in told.streams] == ["b"]


def test_processes_do_not_replace_each_other(told):
    tell(told, "p", [a_stream("a")])
    tell(told, "q", [a_stream("b")])
    tell(told, "p")
    assert [stream.id for stream in told.streams] == ["b"]


def test_a_process_that_fell_silent_has_nothing_in_hand(told, clock):
    tell(told, "killed", [a_stream("a")])
    clock.now += FORGOTTEN_AFTER_S / 2
    tell(told, "alive", [a_stream("b")])
    assert {stream.id for stream in told.streams} == {"a", "b"}
    clock.now += FORGOTTEN_AFTER_S / 2 + 0.1
    assert [stream.id for stream in told.streams] == ["b"]


def test_a_process_that_comes_back_is_heard_again(told, clock):
    tell(told, "p", [a_stream("a")])
    clock.now += FORGOTTEN_AFTER_S + 0.1
    assert told.streams == ()
    tell(told, "p", [a_stream("a")])
    assert [stream.id for stream in told.streams] == ["a"]


def test_the_latest_answers_are_kept_newest_first(told):
    tell(told, "p", answered=[an_answer(number) for number in range(0, 30, 2)])
    tell(told, "q", answered=[an_answer(number) for number in range(1, 30, 2)])
    assert [answer.id for answer in told.answered] == [
        str(number) for number in range(29, 29 - ANSWERED_SHOWN, -1)
    ]


def test_answers_outlive_the_process_that_gave_them(told, clock):
    tell(told, "p", answered=[an_answer(1)])
    clock.now += FORGOTTEN_AFTER_S + 0.1
    assert [answer.id for answer in told.answered] == ["1"]


@pytest.mark.parametrize("unreadable", [([{"id": "b"}], []), ([], [{"id": "b"}])])
def test_news_that_can_not_be_read_changes_nothing(told, news, unreadable):
    tell(told, "p", [a_stream("a")])
    with pytest.raises(msgspec.ValidationError):
        told.told("p", *unreadable)
    assert [stream.id for stream in told.streams] == ["a"]
    assert news == [True]
