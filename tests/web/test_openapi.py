"""What is served holds to its own description, whatever is asked of it."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from django.urls import URLPattern, get_resolver
from hypothesis import HealthCheck, settings
from openai.types.chat import ChatCompletion
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from fleetweb.rehearsal import SMALL
from fleetweb.web.openapi import document
from tests.processes import Process, eventually
from tests.scripted_exo import InBackground, ScriptedExo

from .v1_door import BEARER, DAPHNE, opened, say

EXAMPLES = 10  # of each operation


@pytest.fixture(scope="module")
def exo() -> Iterator[ScriptedExo]:
    with InBackground(ScriptedExo()) as exo:
        yield exo


@pytest.fixture(scope="module")
def door(exo: ScriptedExo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with opened(DAPHNE, exo.url, tmp_path_factory.mktemp("openapi"), model=SMALL) as door:
        yield door


def ask(door: Process, method: str, path: str, **rest: Any) -> httpx.Response:
    given = {"headers": BEARER, "timeout": 20, "trust_env": False, **rest}
    return httpx.request(method, door.address() + path, **given)


schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_is_described(case, door):
    answer = case.call(base_url=door.address(), headers=BEARER)
    assert answer.status_code != 500
    case.validate_response(
        answer,
        checks=[
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            unsupported_method,
        ],
    )


def test_every_address_of_the_api_is_described():
    served = {f"/{route}" for route in _routes(get_resolver().url_patterns) if "api/" in route}
    assert served <= {path.replace("{", "<").replace("}", ">") for path in document()["paths"]}


def _routes(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern) and str(pattern.pattern).startswith("api/"):
            yield str(pattern.pattern).replace("<str:", "<").replace("<slug:", "<")


def test_what_is_described_is_what_is_served(door):
    assert ask(door, "GET", "/api/openapi.json").json() == document()


def test_strangers_get_no_description(door):
    assert httpx.get(f"{door.address()}/api/openapi.json", trust_env=False).status_code == 401


# --- the dry run ----------------------------------------------------------------------------------


def plan(door: Process, **fields: Any) -> httpx.Response:
    return ask(door, "POST", "/api/route", json={"model": SMALL, "messages": say("hi"), **fields})


def test_a_dry_run_says_where_and_why_and_sends_nothing(door, exo):
    eventually(lambda: plan(door).json()["node"] == "king")  # whose door it is takes a moment
    before = len(exo.asked)
    told = plan(door).json()
    assert (told["node_endpoint"], told["node"], told["model_loaded"]) == (exo.url, "king", True)
    assert told["decision"] == "model_loaded"
    assert told["strategy"] == "model_affinity"
    assert told["reason"]
    assert [c["excluded"] for c in told["candidates"]] == [None]
    assert len(exo.asked) == before


def test_a_dry_run_by_another_strategy_says_so(door):
    answer = ask(
        door,
        "POST",
        "/api/route",
        json={"model": SMALL, "messages": say("hi")},
        headers={**BEARER, "X-Fleetweb-Strategy": "round_robin"},
    )
    assert answer.json()["strategy"] == "round_robin"
    assert answer.json()["decision"] == "round_robin"


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"model": "no-such-model"}, 404), ({"messages": []}, 400), ({"temperature": "hot"}, 400)],
)
def test_a_dry_run_fails_as_the_request_would(door, fields, status):
    planned, asked = (
        ask(door, "POST", path, json={"model": SMALL, "messages": say("hi"), **fields})
        for path in ("/api/route", "/v1/chat/completions")
    )
    assert planned.status_code == asked.status_code == status
    assert planned.json() == asked.json()


def test_the_answer_that_is_described_is_openais_own(door):
    answer = ask(door, "POST", "/v1/chat/completions", json={"model": SMALL, "messages": say("hi")})
    assert ChatCompletion.model_validate(answer.json()).choices[0].message.content
