"""`/v1` on the wire: what is refused and how, headers, and what each answer must carry."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from fleetweb.rehearsal import SMALL
from tests.processes import Process, eventually
from tests.scripted_exo import CUT, HELLO, InBackground, ScriptedExo, event

from .v1_door import BEARER, DAPHNE, opened, say

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def exo() -> Iterator[ScriptedExo]:
    with InBackground(ScriptedExo()) as exo:
        yield exo


@pytest.fixture(scope="module")
def door(exo: ScriptedExo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with opened(DAPHNE, exo.url, tmp_path_factory.mktemp("v1"), model=SMALL) as door:
        yield door


@pytest.fixture
def http(door: Process) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=door.address(), headers=BEARER, timeout=20, trust_env=False
    ) as client:
        yield client


def asked(words: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": SMALL, "messages": say(words), **fields}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


# --- who gets in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {**BEARER, "Host": "evil.example"}],
    ids=["nobody", "a wrong token", "a name that is not ours"],
)
@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/v1/nowhere"])
def test_a_stranger_is_told_what_is_missing_and_nothing_else(door, path, headers):
    answer = httpx.post(door.address() + path, headers=headers, json=asked(), trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert error_of(answer)["type"] == "authentication_error"


def test_no_page_of_another_site_may_read_it(http):
    answer = http.get("/v1/models", headers={"Origin": "http://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


# --- paths and methods ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/completions", "/v1/chat/completions/x"])
def test_an_unknown_path_is_not_found_in_openais_shape(http, path):
    answer = http.get(path)
    assert answer.status_code == 404
    assert error_of(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST, OPTIONS"),
        ("DELETE", "/v1/models", "GET, HEAD, OPTIONS"),
        ("POST", f"/v1/models/{SMALL}", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_refused_with_those_that_are_possible(http, method, path, allowed):
    answer = http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert method in error_of(answer)["message"]


def test_options_says_what_is_possible(http):
    answer = http.options(CHAT)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (
        204,
        "POST, OPTIONS",
        b"",
    )


def test_head_has_everything_but_the_body(http):
    whole, head = http.get("/v1/models"), http.head("/v1/models")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]


# --- models ---------------------------------------------------------------------------------------


def test_models_say_where_they_are_loaded(http):
    listed = http.get("/v1/models").json()
    assert listed["object"] == "list"
    first, *others = listed["data"]
    assert first["id"] == SMALL
    assert (first["object"], first["owned_by"], first["created"]) == ("model", "exo", 0)
    assert (first["loaded"], first["nodes"]) == (True, ["king"])
    assert others
    assert not any(other["loaded"] or other["nodes"] for other in others)


@pytest.mark.parametrize("name", [SMALL, SMALL.replace("/", "%2F"), "llama-3.2-8b-instruct-4bit"])
def test_a_model_is_found_by_any_name_it_goes_by(http, name):
    found = http.get(f"/v1/models/{name}").json()
    assert (found["id"], found["object"], found["loaded"]) == (SMALL, "model", True)


def test_a_model_that_nobody_knows_is_not_found(http):
    answer = http.get("/v1/models/no-such-model")
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"


# --- what is refused before anything is sent ------------------------------------------------------


def deep(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"in": nested}
    return nested


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": say("hello")}, "model"),
        ({"model": SMALL}, "messages"),
        ({"model": SMALL, "messages": []}, "messages"),
        (asked("EXO RUNNER MUST FAIL"), "messages[0].content"),
        (asked(temperature="hot"), "temperature"),
        (asked(odd=deep(80)), None),
        ([1, 2], None),
    ],
    ids=["no model", "no messages", "empty", "killer", "type", "depth", "no object"],
)
def test_what_exo_would_choke_on_never_reaches_it(http, exo, body, param):
    before = len(exo.asked)
    answer = http.post(CHAT, json=body)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == param
    assert len(exo.asked) == before


@pytest.mark.parametrize("body", [b"", b"{", b'{"model": "\xff"}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_said_to_be_none(http, body):
    answer = http.post(CHAT, content=body)
    assert answer.status_code == 400
    assert "body" in error_of(answer)["message"]


def test_a_body_of_more_than_32_mb_is_too_large(http):
    answer = http.post(CHAT, content=b" " * (32 * 2**20 + 1))
    assert answer.status_code == 413
    assert "32 MB" in error_of(answer)["message"]


def test_a_packed_body_is_not_taken(http):
    answer = http.post(CHAT, content=b"{}", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-Fleetweb-Fallback", ["any", "local", "none"]),
        ("X-Fleetweb-Strategy", ["round_robin", "least_loaded", "latency_aware", "model_affinity"]),
    ],
)
def test_a_wish_that_is_unknown_is_refused_with_those_that_are_known(http, name, words):
    answer = http.post(CHAT, json=asked(), headers={name: "sideways"})
    assert answer.status_code == 400
    assert error_of(answer)["param"] == name
    assert all(word in error_of(answer)["message"] for word in words)
    for word in words:
        assert http.post(CHAT, json=asked(), headers={name: word}).status_code == 200


# --- answers --------------------------------------------------------------------------------------


def test_an_answer_says_who_gave_it(http):
    answer = http.post(CHAT, json=asked())
    told = {name: answer.headers[f"x-fleetweb-{name}"] for name in ("provider", "node", "attempts")}
    assert told == {"provider": "exo", "node": "king", "attempts": "1"}
    assert answer.headers["x-fleetweb-request"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-fleetweb-cached" not in answer.headers


def test_the_model_of_an_answer_is_what_truly_answered(http):
    for stream in (False, True):
        answer = http.post(CHAT, json={**asked(stream=stream), "model": "auto"})
        bodies = (
            [line.removeprefix("data: ") for line in answer.text.split("\n\n")[:-2]]
            if stream
            else [answer.text]
        )
        assert {json.loads(b)["model"] for b in bodies if not b.startswith(":")} == {SMALL}


def test_an_exact_repeat_is_answered_from_memory_unless_it_is_wanted_fresh(http, exo):
    again = asked("remember this", temperature=0)
    before = len(exo.asked)
    first, second = (http.post(CHAT, json=again) for _ in range(2))
    streamed = http.post(CHAT, json={**again, "stream": True})
    assert "x-fleetweb-cached" not in first.headers
    assert second.headers["x-fleetweb-cached"] == streamed.headers["x-fleetweb-cached"] == "hit"
    assert second.headers["x-fleetweb-attempts"] == "0"
    assert second.json()["choices"] == first.json()["choices"]
    assert "Hello there." in streamed.text
    assert len(exo.asked) == before + 1
    fresh = http.post(CHAT, json=again, headers={"Cache-Control": "no-cache"})
    assert "x-fleetweb-cached" not in fresh.headers
    assert len(exo.asked) == before + 2


def test_unknown_fields_reach_exo_untouched(http, exo):
    odd = {"top_k": 5, "enable_thinking": False, "x-odd": {"a": [1, None, "é"]}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [{"type": "text", "text": "what is it?"}, image]
    body = {"model": SMALL, "messages": [{"role": "user", "content": parts}], **odd}
    assert http.post(CHAT, json=body).status_code == 200
    assert {name: exo.asked[-1][name] for name in odd} == odd
    assert exo.asked[-1]["messages"] == body["messages"]


def test_a_failure_before_the_first_token_has_a_status(http, exo):
    exo.answers["be cut"] = (b": keep-alive\n\n", CUT)
    for stream in (False, True):
        answer = http.post(CHAT, json=asked("be cut", stream=stream))
        assert answer.status_code == 502
        assert error_of(answer)["code"] == "reply_invalid"
        assert answer.headers["x-fleetweb-provider"] == "exo"
        assert answer.headers["x-fleetweb-request"]


def test_a_failure_after_it_is_the_last_event_of_the_stream(http, exo):
    exo.answers["break off"] = (event({"content": "Hel"}), CUT)
    answer = http.post(CHAT, json=asked("break off", stream=True))
    assert answer.status_code == 200
    *_, last, rest = answer.text.split("\n\n")
    assert rest == ""
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "reply_invalid"
    assert "[DONE]" not in answer.text


def test_who_is_told_to_wait_is_told_how_long(http, exo):
    exo.statuses["too much"] = (429, {"retry-after": "1"})
    answer = http.post(CHAT, json=asked("too much"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert error_of(answer)["type"] == "rate_limit_error"
    eventually(lambda: http.post(CHAT, json=asked()).status_code == 200)


def test_what_was_answered_is_in_the_history_even_after_kill_9(exo, tmp_path):
    exo.answers["last words"] = HELLO
    with opened(DAPHNE, exo.url, tmp_path, model=SMALL) as door:
        ids = []
        for stream in (False, True):
            answer = httpx.post(
                door.address() + CHAT,
                headers=BEARER,
                json=asked("last words", stream=stream),
                trust_env=False,
            )
            ids.append(answer.headers["x-fleetweb-request"])
        door.stop(signal.SIGKILL)
    with sqlite3.connect(tmp_path / "fleetweb.sqlite3") as database:
        rows = dict(database.execute("select id, status from gateway_requestmetric"))
    database.close()
    assert rows == dict.fromkeys(ids, "ok")
