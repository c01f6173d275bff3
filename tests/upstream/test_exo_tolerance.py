"""States that are not quite exo's: an odd item costs itself; what is no state is said plainly."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetweb.core.snapshot import ClusterSnapshot, DownloadPhase, RunnerPhase
from fleetweb.errors import ClusterReplyInvalid
from fleetweb.upstream.exo import decode_state

SEEN_AT = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
State = dict[str, Any]
Change = Callable[[State], object]


def a_shard(rank: int, start: int, end: int) -> State:
    card = {"modelId": "org/Big", "storageSize": {"inBytes": 4_000}, "contextLength": 8192}
    layers = {"startLayer": start, "endLayer": end, "nLayers": 8}
    return {
        "PipelineShardMetadata": {"modelCard": card, "deviceRank": rank, "worldSize": 2, **layers}
    }


def a_task(status: str, prompt: Any) -> State:
    params = {"model": "org/Big", "input": [{"role": "user", "content": prompt}]}
    fields = {"taskStatus": status, "instanceId": "i1", "commandId": "c1", "taskParams": params}
    return {"TextGeneration": fields}


def a_download(kind: str, **fields: Any) -> State:
    return {kind: {"nodeId": "n1", "shardMetadata": a_shard(0, 0, 8), **fields}}


def a_state() -> State:
    """Two machines that hold one instance, a task in hand and a download going on."""
    assignments = {
        "modelId": "org/Big",
        "nodeToRunner": {"n1": "r1", "n2": "r2"},
        "runnerToShard": {"r1": a_shard(0, 0, 4), "r2": a_shard(1, 4, 8)},
    }
    progress = {
        "total": {"inBytes": 1000},
        "downloaded": {"inBytes": 250},
        "speed": 10.0,
        "etaMs": 75_000,
    }
    return {
        "instances": {"i1": {"MlxRingInstance": {"shardAssignments": assignments}}},
        "runners": {"r1": {"RunnerReady": {}}, "r2": {"RunnerReady": {}}},
        "tasks": {"t1": a_task("Running", "plan a garden")},
        "downloads": {"n1": [a_download("DownloadOngoing", downloadProgress=progress)]},
        "topology": {"nodes": ["n1", "n2"], "connections": {}},
        "lastSeen": {"n1": "2026-11-23T15:59:59Z", "n2": "2026-11-23T15:59:58.5+00:00"},
        "lastEventAppliedIdx": 12,
        "nodeIdentities": {"n1": {"friendlyName": "king"}, "n2": {"friendlyName": "soldier1"}},
        "nodeMemory": {"n1": {"ramTotal": {"inBytes": 100}, "ramAvailable": {"inBytes": 40}}},
        "nodeSystem": {"n1": {"gpuUsage": 0.5, "pcpuUsage": 0.25, "temp": 61.0, "sysPower": 90.0}},
    }


def decoded(state: Any) -> ClusterSnapshot:
    return decode_state(json.dumps(state).encode(), SEEN_AT)


def changed(change: Change) -> ClusterSnapshot:
    state = a_state()
    change(state)
    return decoded(state)


def put(value: Any, *path: Any) -> Change:
    """A change that sets `value` at `path`."""

    def change(state: Any) -> None:
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    return change


def test_the_state_as_it_is_has_no_flaw() -> None:
    snapshot = decoded(a_state())
    assert snapshot.flaws == ()
    assert [n.name for n in snapshot.nodes] == ["king", "soldier1"]
    assert [len(x) for x in (snapshot.instances, snapshot.tasks, snapshot.downloads)] == [1, 1, 1]
    assert snapshot.nodes[1].last_seen_at == datetime(2026, 11, 23, 15, 59, 58, 500_000, tzinfo=UTC)


def test_fields_and_keys_it_does_not_know_are_passed_over() -> None:
    state = a_state()
    state["nodeDreams"] = {"n1": ["sheep"]}
    state["runners"]["r1"]["RunnerReady"] = {"mood": "good"}
    state["nodeIdentities"]["n1"]["favouriteColour"] = 3
    assert decoded(state) == decoded(a_state())


@pytest.mark.parametrize("key", sorted(a_state()))
def test_a_missing_key_is_empty_and_costs_nothing_else(key: str) -> None:
    snapshot = changed(lambda state: state.pop(key))
    assert (key == "topology") == bool(snapshot.flaws)
    assert (key in ("instances", "tasks")) == (snapshot.tasks == ())
    assert (key == "downloads") == (snapshot.downloads == ())
    assert (key == "topology") == (snapshot.nodes == ())


@pytest.mark.parametrize("value", [None, 7, "text", [1], {"a": 1}])
@pytest.mark.parametrize("key", sorted(a_state()))
def test_a_key_of_the_wrong_type_costs_itself(key: str, value: Any) -> None:
    snapshot = changed(put(value, key))
    assert [n.id for n in snapshot.nodes] == ([] if key == "topology" else ["n1", "n2"])
    assert len(snapshot.downloads) == (0 if key == "downloads" else 1)
    assert len(snapshot.instances) == (0 if key == "instances" else 1)
    assert snapshot.event_index in ((None, 7) if key == "lastEventAppliedIdx" else (12,))


def test_a_runner_in_an_unknown_state_is_unknown_and_the_other_is_ready() -> None:
    snapshot = changed(put({"RunnerPondering": {"depth": 3}}, "runners", "r1"))
    phases = [shard.runner.phase for shard in snapshot.instances[0].shards]
    assert phases == [RunnerPhase.UNKNOWN, RunnerPhase.READY]
    assert snapshot.flaws == ("runners: one is in a state this version does not know",)


@pytest.mark.parametrize("runner", [None, 5, [], {}, {"RunnerReady": None}, {"RunnerReady": 1}])
def test_a_malformed_runner_costs_its_own_phase(runner: Any) -> None:
    snapshot = changed(put(runner, "runners", "r1"))
    absent, ready = (shard.runner.phase for shard in snapshot.instances[0].shards)
    assert absent in (RunnerPhase.ABSENT, RunnerPhase.UNKNOWN)
    assert ready is RunnerPhase.READY
    assert snapshot.flaws != ()


def test_an_instance_of_an_unknown_kind_is_read_by_its_shards() -> None:
    body = a_state()["instances"]["i1"]["MlxRingInstance"]
    instances = [
        changed(put({tag: body}, "instances", "i1")).instances[0].transport
        for tag in ("MlxJacclInstance", "TensorRtInstance", "Instance")
    ]
    assert instances == ["jaccl", "tensorrt", "unknown"]


HALF_FORMED: list[Any] = [
    None,
    [],
    {},
    {"MlxRingInstance": None},
    {"MlxRingInstance": {}},
    {"MlxRingInstance": {"shardAssignments": {"modelId": "org/Big"}}},
    {"MlxRingInstance": {"shardAssignments": {"modelId": 5, "nodeToRunner": {}}}},
    {"MlxRingInstance": {"shardAssignments": {"modelId": "m", "nodeToRunner": {"n1": None}}}},
    {"MysteryInstance": {"x": 1}},
]


@pytest.mark.parametrize("instance", HALF_FORMED)
def test_a_half_formed_instance_costs_itself_and_its_tasks(instance: Any) -> None:
    snapshot = changed(put(instance, "instances", "i2"))
    assert [i.id for i in snapshot.instances] == ["i1"]
    assert snapshot.flaws != ()
    gone = changed(put(instance, "instances", "i1"))
    assert (gone.instances, gone.tasks) == ((), ())


def test_an_instance_without_its_shards_metadata_keeps_its_machines() -> None:
    path = ("instances", "i1", "MlxRingInstance", "shardAssignments", "runnerToShard")
    (instance,) = changed(put("nonsense", *path)).instances
    assert instance.node_ids == ("n1", "n2")
    assert [shard.start_layer for shard in instance.shards] == [None, None]


def test_shards_come_in_the_order_of_their_ranks() -> None:
    path = ("instances", "i1", "MlxRingInstance", "shardAssignments", "nodeToRunner")
    (instance,) = changed(put({"n2": "r2", "n1": "r1"}, *path)).instances
    assert instance.node_ids == ("n1", "n2")


@pytest.mark.parametrize("task", [None, 3, {}, {"TextGeneration": None}, {"TextGeneration": {}}])
def test_a_malformed_task_costs_itself(task: Any) -> None:
    assert [t.id for t in changed(put(task, "tasks", "t2")).tasks] == ["t1"]


@pytest.mark.parametrize("params", [None, 3, "x", {}, {"input": 3}, {"input": [None]}])
def test_a_task_whose_prompt_cannot_be_read_is_still_in_hand(params: Any) -> None:
    (task,) = changed(put(params, "tasks", "t1", "TextGeneration", "taskParams")).tasks
    assert (task.id, task.model_id, task.preview) == ("t1", "org/Big", None)


@pytest.mark.parametrize("status", ["Complete", "TimedOut", "Failed", "Cancelled", "Dreaming", ""])
def test_a_task_that_has_ended_is_not_in_hand(status: str) -> None:
    assert changed(put(a_task(status, "hi"), "tasks", "t1")).tasks == ()


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        ("  plan\n\ta   garden ", "plan a garden"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ([{"type": "text", "text": "look at"}, {"type": "image_url"}, {"text": "this"}],
         "look at this"),
        ("", None),
        (" \n ", None),
        (None, None),
        ([], None),
    ],
)  # fmt: skip
def test_a_preview_is_one_short_line(content: Any, preview: str | None) -> None:
    (task,) = changed(put(a_task("Pending", content), "tasks", "t1")).tasks
    assert task.preview == preview


def test_a_preview_is_of_what_was_asked_last() -> None:
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "so"},
    ]
    path = ("tasks", "t1", "TextGeneration", "taskParams")
    assert changed(put({"input": messages}, *path)).tasks[0].preview == "second"
    assert changed(put({"input": "just text"}, *path)).tasks[0].preview == "just text"
    assert changed(put({"chat_template_messages": messages}, *path)).tasks[0].preview == "second"
    assert changed(put({"input": messages[:1]}, *path)).tasks[0].preview is None


def test_an_unknown_download_costs_itself() -> None:
    odd = [{"DownloadDreaming": {"x": 1}}, 5, None, {"DownloadCompleted": {"total": 3}}]
    snapshot = changed(lambda state: state["downloads"]["n1"].extend(odd))
    assert [d.model_id for d in snapshot.downloads] == ["org/Big"]
    assert len(snapshot.flaws) >= 2


def test_what_was_begun_and_left_half_way_is_kept_as_pending() -> None:
    half = a_download("DownloadPending", downloaded={"inBytes": 300}, total={"inBytes": 1000})
    none = a_download("DownloadPending", downloaded={"inBytes": 0}, total={"inBytes": 1000})
    (download,) = changed(put([half, none], "downloads", "n1")).downloads
    assert download.phase is DownloadPhase.PENDING
    assert (download.downloaded_bytes, download.total_bytes) == (300, 1000)


def test_a_failed_download_says_why_without_quoting() -> None:
    failed = a_download("DownloadFailed", errorMessage="OSError: No space left on device: '/Users'")
    (download,) = changed(put([failed], "downloads", "n1")).downloads
    assert (download.phase, download.failure) == (DownloadPhase.FAILED, "its disk is full")


@pytest.mark.parametrize(
    ("speed", "eta_ms", "eta_s"),
    [
        (10.0, 75_000, 75.0),
        (0.0, 75_000, 75.0),
        (10.0, 0, 0.0),
        (0.0, 0, None),
        (None, 0, None),
        (10.0, -5, None),
        (109.1, 5_805_715_984, None),
        (10.0, None, None),
    ],
)
def test_an_absurd_estimate_is_none(speed: Any, eta_ms: Any, eta_s: float | None) -> None:
    progress = {"speed": speed, "etaMs": eta_ms}
    change = put([a_download("DownloadOngoing", downloadProgress=progress)], "downloads", "n1")
    assert changed(change).downloads[0].eta_s == eta_s


@pytest.mark.parametrize(
    ("field", "attribute", "sent", "read"),
    [
        ("gpuUsage", "gpu_usage", 3.7, 1.0),
        ("gpuUsage", "gpu_usage", -0.1, None),
        ("gpuUsage", "gpu_usage", float("nan"), None),
        ("gpuUsage", "gpu_usage", float("inf"), None),
        ("gpuUsage", "gpu_usage", "high", None),
        ("gpuUsage", "gpu_usage", 1, 1.0),
        ("pcpuUsage", "cpu_usage", None, None),
        ("temp", "temperature_c", 4000.0, None),
        ("temp", "temperature_c", -300, None),
        ("sysPower", "power_w", -1.0, None),
    ],
)
def test_a_figure_that_cannot_be_true_is_unknown(
    field: str, attribute: str, sent: Any, read: float | None
) -> None:
    node = changed(put(sent, "nodeSystem", "n1", field)).nodes[0]
    assert getattr(node, attribute) == read
    assert node.name == "king"
    assert attribute == "temperature_c" or node.temperature_c == 61.0


@pytest.mark.parametrize("in_bytes", [-1, 2**70, None, "many", 1.5])
def test_memory_that_cannot_be_true_is_unknown(in_bytes: Any) -> None:
    node = changed(put(in_bytes, "nodeMemory", "n1", "ramTotal", "inBytes")).nodes[0]
    assert node.memory_total_bytes is None
    assert node.memory_available_bytes == 40


def test_no_more_memory_is_free_than_there_is() -> None:
    node = changed(put(900, "nodeMemory", "n1", "ramAvailable", "inBytes")).nodes[0]
    assert (node.memory_available_bytes, node.memory_used_bytes) == (100, 0)


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-23T15:59:59", None, 5, ""])
def test_a_moment_that_is_none_costs_one_machine_its_last_seen(moment: Any) -> None:
    first, second = changed(put(moment, "lastSeen", "n1")).nodes
    assert first.last_seen_at is None
    assert second.last_seen_at is not None


def test_words_not_yet_gathered_are_unknown() -> None:
    unknown = {
        "friendlyName": "Unknown",
        "modelId": "Unknown Model",
        "chipId": "Unknown Chip",
        "osVersion": "Unknown",
    }
    node = changed(put(unknown, "nodeIdentities", "n1")).nodes[0]
    assert (node.name, node.hardware, node.chip, node.os_version) == ("", None, None, None)


def edge(ip: Any, port: Any = 52415) -> State:
    return {"sinkMultiaddr": {"address": "", "ip_address": ip, "port": port}}


def test_addresses_are_edges_first_then_interfaces_each_once_in_a_stable_order() -> None:
    connections = {
        "n2": {"n1": [edge("10.0.0.9"), edge("10.0.0.4"), edge("fd00::1", 6000)]},
        "n3": {"n1": [edge("10.0.0.9"), {"sourceRdmaIface": "rdma_en2"}]},
    }
    interfaces = [{"ipAddress": ip} for ip in ("192.168.1.2", "10.0.0.4", "fd00::2")]
    state = a_state()
    state["topology"]["connections"] = connections
    state["nodeNetwork"] = {"n1": {"interfaces": interfaces}}
    snapshot = decoded(state)
    assert snapshot.flaws == ()
    assert snapshot.nodes[0].addresses == (
        "http://10.0.0.9:52415",
        "http://10.0.0.4:52415",
        "http://[fd00::1]:6000",
        "http://192.168.1.2:52415",
        "http://[fd00::2]:52415",
    )


def test_addresses_that_lead_nowhere_are_left_out() -> None:
    nowhere = ("0.0.0.0", "::", "169.254.3.4", "fe80::1", "fe80::1%en0", "king.local", "", None, 5)
    edges = [edge(ip) for ip in nowhere] + [edge("10.0.0.4", port) for port in (0, 70_000, "x")]
    state = a_state()
    state["topology"]["connections"] = {"n2": {"n1": edges}}
    state["nodeNetwork"] = {"n1": {"interfaces": [{"ipAddress": ip} for ip in nowhere]}}
    assert decoded(state).nodes[0].addresses == ()
    assert [n.id for n in decoded(state).nodes] == ["n1", "n2"]


def test_broken_connections_cost_addresses_but_no_machine() -> None:
    snapshot = changed(put("nonsense", "topology", "connections"))
    assert [n.id for n in snapshot.nodes] == ["n1", "n2"]
    assert snapshot.flaws == ("topology.connections could not be read",)


def test_a_node_listed_twice_is_one_machine() -> None:
    assert len(changed(put(["n1", "n1", 5, "n2"], "topology", "nodes")).nodes) == 2


def test_flaws_are_few_and_quote_nothing() -> None:
    state = a_state()
    secret = "CANARY-7f3a"
    for i in range(500):
        state["instances"][f"{secret}{i}"] = {f"{secret}{i}": secret}
        state["runners"][f"r{i}"] = secret
    state["nodeSystem"]["n1"] = {secret: 1, "gpuUsage": secret}
    flaws = decoded(state).flaws
    assert 0 < len(flaws) <= 20
    assert secret not in "".join(flaws)
    assert "instances could not be read (500 times)" in flaws


def test_a_broken_string_costs_itself() -> None:
    body = json.dumps(a_state()).encode().replace(b'"king"', b'"ki\xffng"')
    snapshot = decode_state(body, SEEN_AT)
    assert [n.name for n in snapshot.nodes] == ["", "soldier1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "exo sent an empty answer instead of exo's state"),
        (b" \n", "exo sent an empty answer instead of exo's state"),
        (b"<!DOCTYPE html><title>Router</title>", "exo sent a web page instead of exo's state"),
        (b"\n <html>", "exo sent a web page instead of exo's state"),
        (b"hello", "exo sent something that is not exo's state"),
        (b"\x89PNG\r\n", "exo sent something that is not exo's state"),
        (b"[1, 2]", "exo sent JSON that is not exo's state"),
        (b"null", "exo sent something that is not exo's state"),
        (b"{}", "exo sent JSON that is not exo's state"),
        (b'{"error": {"message": "no"}}', "exo sent JSON that is not exo's state"),
        (b'{"tasks": nope}', "exo sent malformed JSON instead of exo's state"),
        (b'{"tasks": ' + b"[" * 100_000, "exo sent malformed JSON instead of exo's state"),
        (b'{"tasks": NaN, ' + b"[" * 100_000, "exo sent malformed JSON instead of exo's state"),
        (json.dumps(a_state()).encode()[:400], "exo sent an answer that was cut off"),
    ],
)  # fmt: skip
def test_says_what_came_instead_of_a_state(body: bytes, words: str) -> None:
    with pytest.raises(ClusterReplyInvalid) as raised:
        decode_state(body, SEEN_AT)
    assert str(raised.value).startswith(words)


def test_every_truncation_is_invalid_and_nothing_else() -> None:
    body = json.dumps(a_state()).encode()
    for length in range(len(body)):
        with pytest.raises(ClusterReplyInvalid):
            decode_state(body[:length], SEEN_AT)
