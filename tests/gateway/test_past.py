"""Requests as they stood at a past moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleetweb.core.streams import Outcome, Stage
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.gateway.past import requests_at

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
QWEN = "mlx-community/Qwen3-235B-A22B-Thinking-4bit"


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def attempt(node: str | None, seconds: float, took_s: float, error: str | None = None) -> dict:
    provider = "exo" if node else "ollama"
    return {
        "provider": provider,
        "model": QWEN if node else "llama3.3",
        "endpoint": f"http://{node}:52415" if node else provider,
        "node": node,
        "at": at(seconds).isoformat(),
        "took_ms": took_s * 1000,
        "error": error,
    }


def asked(*attempts: dict, **known: Any) -> RequestMetric:
    """A request that waited 2 s, read until 10 s, thought until 20 s and was answered at 30 s."""
    facts = {
        "id": "one",
        "asked_at": NOW,
        "ended_at": at(30),
        "status": Outcome.OK.value,
        "caller": "owner",
        "model_asked": QWEN,
        "model": QWEN,
        "provider": "exo",
        "cluster": "home",
        "node": "king",
        "nodes": ["king", "soldier1"],
        "attempts": len(attempts),
        "waited_ms": 2000,
        "ttft_ms": 10_000,
        "answering_at_ms": 20_000,
        "latency_ms": 30_000,
    }
    metric = RequestMetric.objects.create(**facts | known)
    RoutingRecord.objects.create(request=metric, attempts=list(attempts))
    return metric


@pytest.mark.parametrize(
    ("seconds", "stage", "began"),
    [
        (0, "waiting", 0),
        (1.9, "waiting", 0),
        (2, "reading", 2),
        (10, "thinking", 10),
        (19, "thinking", 10),
        (29, "answering", 20),
    ],
)
def test_it_is_in_the_phase_that_it_was_in(seconds, stage, began):
    asked(attempt("king", 2, 28))
    (stream,) = requests_at(at(seconds)).streams
    assert (stream.stage, stream.stage_since) == (Stage(stage), at(began))


def test_a_model_is_loaded_before_the_first_attempt():
    asked(attempt("king", 6, 24), loading_ms=4000)
    stages = [requests_at(at(s)).streams[0].stage for s in (1, 3, 7)]
    assert stages == [Stage.WAITING, Stage.LOADING, Stage.READING]


def test_it_is_in_hand_from_when_it_was_asked_until_it_ended():
    asked()
    assert requests_at(at(-1)).in_hand == ()
    assert len(requests_at(at(29)).in_hand) == 1
    over = requests_at(at(30))
    assert (over.in_hand, [answer.outcome for answer in over.answered]) == ((), [Outcome.OK])


def test_one_that_never_ended_is_still_in_hand():
    asked(ended_at=None, status=Outcome.RUNNING.value, latency_ms=None)
    assert len(requests_at(at(86_400)).in_hand) == 1


def test_one_that_moved_on_is_where_it_was_at_the_time():
    asked(
        attempt("soldier2", 2, 5, "soldier2 does not answer."),
        attempt(None, 7, 23),
        provider="ollama",
        model="llama3.3",
        cluster="",
        node="",
        nodes=[],
        waited_ms=7000,
    )
    before, then = (requests_at(at(s)).streams[0] for s in (4, 8))
    assert (before.stage, before.node, before.provider, before.model_id) == (
        Stage.READING,
        "soldier2",
        "exo",
        QWEN,
    )
    assert (then.node, then.provider, then.model_id) == (None, "ollama", "llama3.3")


def test_machines_are_at_work_from_when_it_was_sent():
    asked(attempt("king", 2, 28))
    assert requests_at(at(1)).work == ()
    (work,) = requests_at(at(3)).work
    assert work.nodes == ("king", "soldier1")


def test_nobody_is_said_to_work_for_an_attempt_that_is_not_known_to_be_theirs():
    asked(attempt("soldier2", 2, 5, "gone"), attempt("king", 7, 23))
    assert requests_at(at(3)).work == ()
    assert len(requests_at(at(8)).work) == 1


def test_nothing_is_made_up_of_tokens():
    asked()
    (stream,) = requests_at(at(25)).streams
    assert (stream.tokens, stream.tokens_per_s, stream.preview) == (0, None, None)


def test_what_it_costs_does_not_depend_on_how_many_there_are(django_assert_num_queries):
    asked()
    RequestMetric.objects.bulk_create(
        RequestMetric(id=f"r{n}", asked_at=at(-n), ended_at=at(40 - n), status="ok")
        for n in range(60)
    )
    with django_assert_num_queries(2):
        found = requests_at(at(20))
        assert (len(found.streams), len(found.answered)) == (21, 12)
