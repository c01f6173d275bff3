"""What Prometheus is told of the requests that passed through the door."""

from collections.abc import Iterator

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleetweb.rehearsal import SMALL
from tests.processes import Process, eventually
from tests.scripted_exo import CUT, HOLD, InBackground, ScriptedExo

from .v1_door import BEARER, DAPHNE, opened, say

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]  # by name and labels

ANSWERED = (("model", SMALL), ("operation", "chat"), ("provider", "exo"))


@pytest.fixture(scope="module")
def exo() -> Iterator[ScriptedExo]:
    with InBackground(ScriptedExo()) as exo:
        yield exo


@pytest.fixture
def door(exo: ScriptedExo, tmp_path) -> Iterator[Process]:
    with opened(DAPHNE, exo.url, tmp_path, model=SMALL) as door:
        yield door


def ask(door: Process, words: str, *, model: str = SMALL, **fields: object) -> int:
    body = {"model": model, "messages": say(words), **fields}
    url = f"{door.address()}/v1/chat/completions"
    return httpx.post(url, headers=BEARER, json=body, timeout=20, trust_env=False).status_code


def figures(door: Process) -> Figures:
    told = httpx.get(f"{door.address()}/metrics", headers=BEARER, trust_env=False).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


def test_requests_are_counted_and_measured(door, exo):
    exo.answers["be cut"] = (CUT,)
    assert ask(door, "once", temperature=0) == 200
    assert ask(door, "once", temperature=0) == 200  # from memory
    assert ask(door, "a stream", stream=True) == 200
    assert ask(door, "be cut") == 502
    assert ask(door, "whom?", model="made up by a caller") == 404
    told = figures(door)
    assert ended(told) == {("exo", "ok"): 3, ("exo", "failed"): 1, ("", "failed"): 1}
    assert told["fleetweb_cache_hits_total", ()] == 1
    assert told["fleetweb_attempts_failed_total", (("provider", "exo"),)] == 1
    assert told["gen_ai_client_operation_duration_seconds_count", ANSWERED] == 3
    assert told["gen_ai_client_operation_time_to_first_chunk_seconds_count", ANSWERED] == 2
    assert told["gen_ai_client_operation_duration_seconds_sum", ANSWERED] > 0
    used = {
        kind: told["gen_ai_client_token_usage_sum", (*ANSWERED, ("token_type", kind))]
        for kind in ("input", "output")
    }
    assert used == {"input": 10, "output": 4}
    assert "made up by a caller" not in str(told)


def ended(told: Figures) -> dict[tuple[str, ...], float]:
    """How many requests ended, by provider and status."""
    return {
        tuple(value for _, value in labels): count
        for (name, labels), count in told.items()
        if name == "fleetweb_requests_total"
    }


def test_those_in_hand_are_told_by_how_far_they_are(door, exo):
    exo.answers["for ever"] = (HOLD,)
    reading = ("fleetweb_gateway_requests", (("stage", "reading"),))
    assert figures(door)[reading] == 0
    url = f"{door.address()}/v1/chat/completions"
    body = {"model": SMALL, "messages": say("for ever"), "stream": True}
    with httpx.stream("POST", url, headers=BEARER, json=body, trust_env=False) as answer:
        assert answer.status_code == 200
        eventually(lambda: figures(door)[reading] == 1)
    eventually(lambda: figures(door)[reading] == 0)
