"""Every other answer beside exo's: errors word for word, the rest key by key."""

from typing import Any

import httpx2 as httpx
import pytest

from fleetweb.rehearsal import CATALOGUE, FRONTIER, MEDIUM, SMALL, Rehearsal
from tests.recordings import load, needs_recordings

from .asking import Caller, instance_of, prompt, statuses
from .likeness import differences, missing, shape
from .waiting import until

pytestmark = needs_recordings

REFUSALS = (
    "missing-model",
    "missing-messages",
    "bad-role",
    "content-number",
    "stream-string",
    "max-tokens-string",
    "body-list",
    "model-unknown",
    "stream-model-unknown",
    "model-known-not-placed",
)
ACCEPTED = ("content-parts", "n-2", "extra-field", "temperature-5", "max-tokens-0")
UNREAD = ("malformed-json", "no-body", "text-plain", "not-utf8")
PLAIN = (
    "get-on-chat",
    "post-on-state",
    "head-state",
    "options-chat",
    "delete-unknown-instance",
    "get-unknown-instance",
    "cancel-unknown",
    "place-missing-model",
    "place-bad-sharding",
    "place-unknown-model",
)


def errors() -> Any:
    return load("errors.json")


def assert_same(answer: httpx.Response, recorded: Any) -> None:
    theirs = recorded["response"]
    assert answer.status_code == theirs["status"]
    assert answer.headers["content-type"] == theirs["headers"]["content-type"]
    assert read(answer) == theirs["body"]


def read(answer: httpx.Response) -> Any:
    is_json = answer.content and "json" in answer.headers["content-type"]
    return answer.json() if is_json else answer.text


@pytest.mark.parametrize("name", REFUSALS)
async def test_refusal_is_exos_word_for_word(caller: Caller, name: str) -> None:
    recorded = errors()[name]
    assert_same(await caller.chat(recorded["request"]), recorded)


@pytest.mark.parametrize("name", UNREAD)
async def test_unread_body_is_refused_as_exo_does(caller: Caller, name: str) -> None:
    recorded = errors()[name]
    content = {"no-body": b"", "not-utf8": b"\xff\xfe{}"}.get(name, recorded["request"].encode())
    url = caller.door().url + "/v1/chat/completions"
    answer = await caller.client.post(url, content=content, headers=recorded["headers"])
    assert_same(answer, recorded)


@pytest.mark.parametrize("name", PLAIN)
async def test_plain_answer_is_exos_word_for_word(caller: Caller, name: str) -> None:
    recorded = errors()[name]
    method, path, body = recorded["request"]
    assert_same(await caller.client.request(method, caller.door().url + path, json=body), recorded)


@pytest.mark.parametrize("name", ACCEPTED)
async def test_odd_request_is_answered_as_exo_does(
    fleet: Rehearsal, caller: Caller, name: str
) -> None:
    await fleet.place(SMALL)
    recorded = errors()[name]
    answer = await caller.chat(recorded["request"] | {"model": SMALL})
    ours, theirs = shape([answer.json()]), shape([recorded["response"]["body"]])
    assert answer.status_code == recorded["response"]["status"]
    assert differences(ours, theirs) == []
    assert missing(ours, theirs) == []


async def test_empty_model_is_not_found_under_a_made_up_name(caller: Caller) -> None:
    answer = await caller.chat(errors()["model-empty"]["request"])
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("No instance found for model ")


async def test_empty_messages_crash_the_runner_for_everyone(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL)
    answer = await caller.chat({"model": SMALL, "messages": []})
    recorded = errors()["empty-messages"]["response"]
    assert (answer.status_code, answer.text) == (recorded["status"], recorded["body"])
    assert statuses(await caller.state(), SMALL) == ["RunnerFailed"]


async def test_small_endpoints_are_exos(caller: Caller) -> None:
    recorded = load("idle-small-endpoints.json")
    assert len((await caller.get("/node_id")).json()) == len(recorded["/node_id"]["body"])
    for path in ("/state/lastSeen", "/state/nodeMemory", "/state/nodeSystem"):
        ours, theirs = (await caller.get(path)).json(), recorded[path]["body"]
        assert differences(shape([ours]), shape([theirs])) == []
    for path in ("/state/doesNotExist", "/nope", "/healthz", "/v1/nope"):
        answer = await caller.get(path)
        assert (answer.status_code, answer.json()) == (
            recorded[path]["status"],
            recorded[path]["body"],
        )


async def test_parts_of_the_state_write_utc_as_an_offset(caller: Caller) -> None:
    (stamp, *_) = (await caller.get("/state/lastSeen")).json().values()
    whole = (await caller.state())["lastSeen"]
    assert stamp.endswith("+00:00")
    assert all(seen.endswith("Z") for seen in whole.values())


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
async def test_models_are_listed_as_exo_does(caller: Caller, path: str) -> None:
    ours, theirs = (await caller.get(path)).json(), load("models.json")["body"]
    assert differences(shape([ours]), shape([theirs])) == []
    assert {model["id"] for model in ours["data"]} == set(CATALOGUE)


async def test_placing_is_answered_as_exo_does(caller: Caller) -> None:
    ours = (await caller.post("/place_instance", {"model_id": SMALL})).json()
    theirs = load("mid-place-instance-response.json")["body"]
    assert missing(shape([ours]), shape([theirs])) == []
    placed = await until(lambda: found(caller, SMALL))
    answer = await caller.client.delete(f"{caller.door().url}/instance/{placed['instanceId']}")
    theirs = load("delete-instance-response.json")["body"]
    assert differences(shape([answer.json()]), shape([theirs])) == []
    assert await found(caller, SMALL) is None


async def test_placing_that_cannot_succeed_says_the_same_and_nothing_appears(
    caller: Caller,
) -> None:
    recorded = errors()["place-min-nodes-5"]["response"]
    answer = await caller.post("/place_instance", {"model_id": SMALL, "min_nodes": 5})
    assert answer.status_code == recorded["status"]
    assert answer.json()["message"] == recorded["body"]["message"]
    await caller.post("/place_instance", {"model_id": MEDIUM})
    await until(lambda: found(caller, MEDIUM))  # asked for after it, and there before it
    assert await found(caller, SMALL) is None
    refused = await caller.get(f"/instance/placement?model_id={SMALL}&min_nodes=5")
    assert_same(refused, errors()["placement-min-nodes-5"])


async def test_previews_are_exos(caller: Caller) -> None:
    ours = (await caller.get(f"/instance/previews?model_id={MEDIUM}")).json()
    theirs = shape([load("4nodes-previews.json")["body"]])
    theirs.add(load("idle-4nodes-state.full.json")["downloads"], "of-other-models")
    assert differences(shape([ours]), theirs) == []
    assert missing(shape([ours]), shape([load("4nodes-previews.json")["body"]])) == []


async def test_preview_can_be_placed_as_it_is(caller: Caller) -> None:
    previews = (await caller.get(f"/instance/previews?model_id={FRONTIER}")).json()["previews"]
    widest = [p["instance"] for p in previews if p["sharding"] == "Pipeline" and p["instance"]][-1]
    assert (await caller.post("/instance", {"instance": widest})).status_code == 200
    assert {"MlxRingInstance": await until(lambda: found(caller, FRONTIER))} == widest
    (inner,) = widest.values()
    one = await caller.get(f"/instance/{inner['instanceId']}")
    assert one.json() == widest


async def test_instance_that_is_not_one_is_refused(caller: Caller) -> None:
    answer = await caller.post("/instance", {"instance": {"MlxRingInstance": {}}})
    assert answer.status_code == 422
    assert (await caller.post("/instance", {})).json()["detail"][0]["type"] == "missing"


async def test_awaiting_in_vain_times_out_as_exos(caller: Caller) -> None:
    answer = await caller.get("/instance/await?model_id=no-such/model&timeout_seconds=1")
    assert_same(answer, errors()["await-timeout"])


async def test_awaiting_ends_once_the_instance_is_there(caller: Caller) -> None:
    await caller.post("/place_instance", {"model_id": SMALL})
    answer = await caller.get(f"/instance/await?model_id={SMALL}")
    assert '{"type":"ready","instance":{"MlxRingInstance"' in answer.text


async def test_query_that_is_no_number_is_refused(caller: Caller) -> None:
    answer = await caller.get(f"/instance/await?model_id={SMALL}&timeout_seconds=soon")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "timeout_seconds"]


async def test_every_origin_may_do_everything(caller: Caller) -> None:
    url = caller.door().url
    headers = {
        "origin": "http://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    answer = await caller.client.options(url + "/v1/chat/completions", headers=headers)
    theirs = errors()["cors-preflight"]
    ours = {name: answer.headers[name] for name in theirs["headers"] if name != "date"}
    assert ours == {name: v for name, v in theirs["headers"].items() if name != "date"}
    got = await caller.client.get(url + "/node_id", headers={"origin": "http://evil.example"})
    assert got.headers["access-control-allow-origin"] == "*"


async def test_instance_that_loads_accepts_a_request_and_answers_later(caller: Caller) -> None:
    await caller.post("/place_instance", {"model_id": SMALL})
    await until(lambda: found(caller, SMALL))
    answer = await caller.chat(prompt(max_tokens=3))
    assert answer.json()["usage"]["completion_tokens"] == 3


async def found(caller: Caller, model: str) -> Any:
    return instance_of(await caller.state(), model)
