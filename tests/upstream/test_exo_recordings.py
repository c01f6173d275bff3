"""What exo really sent, and what is to be seen in it. The expected values are written by hand."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetweb.core.snapshot import ClusterSnapshot, DownloadPhase, RunnerPhase, TaskStatus
from fleetweb.upstream.exo import decode_state
from tests.recordings import RECORDINGS, load, needs_recordings

pytestmark = needs_recordings

SEEN_AT = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
GB = 1024**3
MID = "exo-live/Mid-Llama"


def state(name: str) -> ClusterSnapshot:
    return decode_state((RECORDINGS / name).read_bytes(), SEEN_AT)


def timeline(name: str) -> list[tuple[float, ClusterSnapshot]]:
    recorded = load(name)
    rows: list[dict[str, Any]] = recorded["rows"] if isinstance(recorded, dict) else recorded
    return [(r["t"], decode_state(json.dumps(r["state"]).encode(), SEEN_AT)) for r in rows]


def at(rows: list[tuple[float, ClusterSnapshot]], seconds: float) -> ClusterSnapshot:
    """The last state that was there at `seconds`."""
    return [snapshot for t, snapshot in rows if t <= seconds][-1]


def phases(snapshot: ClusterSnapshot) -> list[list[RunnerPhase]]:
    return [[shard.runner.phase for shard in i.shards] for i in snapshot.instances]


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*state*.json")), ids=lambda p: p.name)
def test_every_recorded_state_is_read_without_a_flaw(path: Any) -> None:
    recorded = load(path.name)
    rows = recorded.get("rows", [{"state": recorded}]) if isinstance(recorded, dict) else recorded
    for row in rows:
        snapshot = decode_state(json.dumps(row["state"]).encode(), SEEN_AT)
        assert snapshot.flaws == ()
        assert snapshot.seen_at == SEEN_AT
        assert len(snapshot.nodes) == len(row["state"]["topology"]["nodes"])


def test_one_idle_mac() -> None:
    snapshot = state("idle-1node-state.full.json")
    assert snapshot.event_index == 183
    assert (snapshot.instances, snapshot.tasks) == ((), ())
    (node,) = snapshot.nodes
    assert node.id == "984f20de71b13135f34bd27bba35e896"
    assert (node.name, node.hardware, node.chip) == ("studio-north", "Mac Studio", "Apple M3 Ultra")
    assert node.os_version == "15.6"
    assert node.last_seen_at == datetime(2026, 11, 23, 15, 17, 8, 887307, tzinfo=UTC)
    assert node.memory_total_bytes == 256 * GB
    assert node.memory_available_bytes == 244_517_474_141
    assert (node.gpu_usage, node.cpu_usage) == (0.0, 0.02)
    assert (node.temperature_c, node.power_w) == (36.5, 9.5)
    assert node.addresses == ("http://127.0.0.11:52415",)


def test_the_catalogue_is_no_download_but_what_is_on_disk_is() -> None:
    snapshot = state("idle-1node-state.full.json")
    assert [(d.model_id, d.phase, d.total_bytes) for d in snapshot.downloads] == [
        ("exo-live/Tiny-Llama", DownloadPhase.COMPLETED, 5_647_308),
        ("exo-live/Slow-Llama", DownloadPhase.COMPLETED, 633_592_812),
        ("exo-live/Tiny-Thinker", DownloadPhase.COMPLETED, 5_647_684),
    ]


def test_four_idle_machines_and_where_to_ask_them() -> None:
    snapshot = state("idle-4nodes-state.full.json")
    assert snapshot.event_index == 770
    assert [(n.name, n.addresses) for n in snapshot.nodes] == [
        ("macbook-anna", ("http://127.0.0.13:52415",)),
        ("studio-north", ("http://127.0.0.11:52415",)),
        ("studio-south", ("http://127.0.0.12:52415",)),
        ("mini-lab", ("http://127.0.0.14:52415",)),
    ]
    assert [n.memory_total_bytes for n in snapshot.nodes] == [128 * GB, 256 * GB, 256 * GB, 48 * GB]
    assert snapshot.newest_seen_at == datetime(2026, 11, 23, 15, 34, 18, 239092, tzinfo=UTC)
    assert snapshot.busy_node_ids == frozenset()


def test_the_trimmed_state_says_the_same_as_the_full_one() -> None:
    assert state("idle-4nodes-state.trimmed.json") == state("idle-4nodes-state.full.json")


def test_plain_linux_tells_no_hardware_and_no_gpu() -> None:
    (node,) = state("plain-linux-1node-state.trimmed.json").nodes
    assert (node.name, node.os_version) == ("studio-north", "Linux")
    assert (node.hardware, node.chip) == (None, None)
    assert (node.gpu_usage, node.cpu_usage, node.temperature_c, node.power_w) == (None,) * 4
    assert node.memory_total_bytes == 25_276_502_016


def test_placing_goes_from_absent_over_loading_and_warming_up_to_ready() -> None:
    rows = timeline("mid-placing-state-every-100ms.json")
    assert at(rows, 0.0).instances == ()
    assert phases(at(rows, 0.5)) == [[RunnerPhase.ABSENT]]
    assert phases(at(rows, 3.2)) == [[RunnerPhase.LOADING]]
    assert phases(at(rows, 4.0)) == [[RunnerPhase.WARMING_UP]]
    assert phases(at(rows, 6.5)) == [[RunnerPhase.READY]]
    (instance,) = at(rows, 6.5).instances
    assert instance.is_ready
    assert not at(rows, 4.0).instances[0].is_ready


def test_loading_counts_its_layers() -> None:
    rows = timeline("slow-placing-state-every-100ms.json")
    loading = [s.instances[0].shards[0].runner for t, s in rows if 2.0 < t < 2.6]
    assert {runner.total_layers for runner in loading} == {12}
    assert [runner.layers_loaded for runner in loading] == [0, 2, 4, 7, 9, 11]
    assert phases(at(rows, 14.0)) == [[RunnerPhase.WARMING_UP]]
    assert phases(at(rows, 14.3)) == [[RunnerPhase.READY]]


def test_a_ready_instance_and_what_its_node_holds() -> None:
    (instance,) = state("mid-ready-state.trimmed.json").instances
    assert (instance.model_id, instance.transport) == (MID, "ring")
    assert (instance.storage_bytes, instance.context_length) == (111_183_872, 8192)
    (shard,) = instance.shards
    assert (shard.start_layer, shard.end_layer, shard.n_layers) == (0, 8, 8)
    assert (shard.device_rank, shard.world_size, shard.sharding) == (0, 1, "pipeline")


def test_generating_is_one_running_task_with_the_stream_s_id() -> None:
    snapshot = state("generating-state.trimmed.json")
    (task,) = snapshot.tasks
    assert task.status is TaskStatus.RUNNING
    assert task.command_id == "b9263699-2514-4595-8941-a4b106be839b"
    assert task.model_id == MID
    assert task.preview == "Write a poem. THIS-PROMPT-IS-PRIVATE"
    assert snapshot.busy_node_ids == {"1c5710e307d394b5d6eefa10bc6686d4"}


def test_a_generation_is_in_hand_from_before_its_first_token_to_its_end() -> None:
    rows = timeline("gen-state-every-200ms.json")
    assert at(rows, 0.5).tasks == ()
    assert [t.status for t in at(rows, 0.7).tasks] == [TaskStatus.PENDING]
    assert [t.status for t in at(rows, 3.0).tasks] == [TaskStatus.RUNNING]
    assert at(rows, 7.2).tasks == ()


def test_three_at_once_are_all_in_hand_though_one_is_running() -> None:
    rows = timeline("concurrent-3-state-every-200ms.json")
    assert at(rows, 0.3).tasks == ()
    assert [t.status for t in at(rows, 1.0).tasks] == [
        TaskStatus.RUNNING,
        TaskStatus.PENDING,
        TaskStatus.PENDING,
    ]
    assert len(at(rows, 3.0).tasks) == 2
    assert [t.status for t in at(rows, 5.3).tasks] == [TaskStatus.PENDING]
    assert at(rows, 5.6).tasks == ()


def test_a_caller_who_hangs_up_leaves_nothing_in_hand() -> None:
    rows = timeline("disconnect-state-every-200ms.json")
    assert len(at(rows, 1.0).tasks) == 1
    assert at(rows, 1.5).tasks == ()
    assert phases(at(rows, 1.5)) == [[RunnerPhase.RUNNING]]
    assert phases(at(rows, 4.5)) == [[RunnerPhase.READY]]


def test_a_deleted_instance_leaves_nothing_though_its_runner_and_tasks_stay() -> None:
    rows = timeline("delete-instance-state-every-100ms.json")
    assert len(at(rows, 1.0).tasks) == 1
    last = load("delete-instance-state-every-100ms.json")[-1]["state"]
    assert last["runners"]
    assert last["tasks"]
    assert at(rows, 1.7).instances == ()
    assert at(rows, 1.7).tasks == ()
    assert at(rows, 1.7).busy_node_ids == frozenset()


def test_a_download_goes_on_until_it_is_complete() -> None:
    """The recording keeps `downloads` in some rows only: exo itself sent it in all of them."""
    rows = timeline("downloading-state-every-500ms.json")
    seen = [
        (t, d.downloaded_bytes, d.bytes_per_s, d.eta_s)
        for t, s in rows
        for d in s.downloads
        if d.phase is DownloadPhase.ONGOING
    ]
    assert [t for t, *_ in seen[:3]] == [1.001, 2.001, 3.009]
    assert seen[0][1:] == (38, 109.13258169697451, None)  # exo says 67 days
    assert seen[1][1:] == (39_983_948, 28_724_745.909315318, 20.665)
    assert seen[-1][1:] == (603_593_548, 39_119_317.588678405, 0.766)
    ends = [d for d in at(rows, 17.6).downloads if d.node_id.startswith("878a")]
    assert [(d.model_id, d.phase) for d in ends] == [
        ("exo-live/Slow-Llama", DownloadPhase.COMPLETED)
    ]


def test_a_download_names_its_machine_model_and_size() -> None:
    snapshot = state("downloading-state.trimmed.json")
    (download,) = [d for d in snapshot.downloads if d.phase is DownloadPhase.ONGOING]
    assert download.node_id == "878a1edbd4a5d9dc6ff91236c660d992"
    assert download.model_id == "exo-live/Slow-Llama"
    assert (download.downloaded_bytes, download.total_bytes) == (122_297_164, 633_592_812)


def test_pending_with_a_size_but_nothing_on_disk_is_still_the_catalogue() -> None:
    entries = load("download-pending-with-totals.json")
    body = json.dumps({"downloads": {"878a": entries}, "topology": {"nodes": ["878a"]}})
    snapshot = decode_state(body.encode(), SEEN_AT)
    assert (snapshot.downloads, snapshot.flaws) == ((), ())


def test_a_failed_runner_says_why_in_one_line_without_its_traceback() -> None:
    snapshot = state("runner-failed-state.trimmed.json")
    (instance,) = snapshot.instances
    runner = instance.shards[0].runner
    assert runner.phase is RunnerPhase.FAILED
    assert runner.failure == "Artificial runner exception (exo's built-in test)"
    assert snapshot.tasks == ()
    assert "Traceback" not in repr(snapshot)
    assert "PRIVATE" not in repr(snapshot)


def test_two_of_four_machines_share_a_model_by_layers() -> None:
    snapshot = state("cluster-2of4-ready-state.trimmed.json")
    (instance,) = snapshot.instances
    assert instance.is_ready
    held = [(snapshot.node(s.node_id), s.device_rank, s.start_layer) for s in instance.shards]
    assert [(node.name if node else None, *rest) for node, *rest in held] == [
        ("studio-south", 0, 0),
        ("studio-north", 1, 4),
    ]
    assert len(snapshot.nodes) == 4


def test_three_of_four_machines_of_which_one_runner_is_not_there_yet() -> None:
    snapshot = state("cluster-3of4-ready-state.trimmed.json")
    (instance,) = snapshot.instances
    assert [(s.start_layer, s.end_layer) for s in instance.shards] == [(0, 3), (3, 5), (5, 8)]
    assert phases(snapshot) == [[RunnerPhase.ABSENT, RunnerPhase.IDLE, RunnerPhase.IDLE]]
    assert not instance.is_ready
    assert snapshot.tasks == ()


def test_a_ghost_of_an_earlier_start_is_no_machine() -> None:
    raw = load("cluster-3of4-ready-state.trimmed.json")
    ghost = "211fd8245d3acc79801506e92718e530"
    assert ghost in raw["nodeIdentities"]
    assert state("cluster-3of4-ready-state.trimmed.json").node(ghost) is None


KILLED = "211fd8245d3acc79801506e92718e530"


def test_a_killed_worker_goes_silent_at_once_and_leaves_the_topology_after_37_s() -> None:
    rows = timeline("kill-worker-in-instance-state-node4.json")
    for t, snapshot in rows:
        assert (snapshot.node(KILLED) is not None) == (t < 41.1), t
    last_heard = {
        node.last_seen_at for t, s in rows if 5.5 < t < 41 for node in s.nodes if node.id == KILLED
    }
    assert len(last_heard) == 1
    (moment,) = last_heard
    newest = at(rows, 30.0).newest_seen_at
    assert moment is not None
    assert newest is not None
    assert 20 < (newest - moment).total_seconds() < 30


def test_an_instance_outlives_its_dead_machine_by_ten_seconds() -> None:
    rows = timeline("kill-worker-in-instance-state-node4.json")
    (instance,) = at(rows, 49.5).instances
    assert KILLED in instance.node_ids
    assert at(rows, 49.5).node(KILLED) is None
    assert at(rows, 51.0).instances == ()
    assert at(rows, 51.0).tasks == ()


def test_work_stays_in_hand_while_its_machine_is_dead() -> None:
    rows = timeline("kill-worker-in-instance-state-node4.json")
    assert [len(at(rows, t).tasks) for t in (0.1, 1.0, 10.0, 30.0, 49.5)] == [0, 1, 2, 2, 2]


def test_a_cluster_that_has_just_elected_is_empty() -> None:
    raw = load("idle-4nodes-state.trimmed.json")
    empty = {key: type(value)() for key, value in raw.items()}
    body = {**empty, "topology": {"nodes": [], "connections": {}}, "lastEventAppliedIdx": -1}
    snapshot = decode_state(json.dumps(body).encode(), SEEN_AT)
    assert snapshot == ClusterSnapshot(seen_at=SEEN_AT, event_index=-1)


def test_a_forming_cluster_shows_a_machine_before_its_name_is_known() -> None:
    raw = load("idle-4nodes-state.trimmed.json")
    first = raw["topology"]["nodes"][0]
    forming = {
        **raw,
        "topology": {"nodes": [first], "connections": {}},
        "nodeIdentities": {},
        "nodeNetwork": {},
        "nodeSystem": {},
    }
    (node,) = decode_state(json.dumps(forming).encode(), SEEN_AT).nodes
    assert (node.name, node.hardware, node.addresses, node.gpu_usage) == ("", None, (), None)
    assert node.memory_total_bytes == 128 * GB
