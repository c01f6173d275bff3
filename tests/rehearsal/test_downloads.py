"""Models on their way to a disk."""

from typing import Any

from fleetweb.rehearsal import Fault, FaultKind, Rehearsal

from .asking import Caller, statuses
from .waiting import until

MODEL = "mlx-community/Llama-3.2-3B-Instruct-4bit"


async def entry(caller: Caller, node_id: str) -> tuple[str, Any]:
    entries = (await caller.get(f"/state/downloads/{node_id}")).json()
    for tagged in entries:
        ((tag, inner),) = tagged.items()
        if inner["shardMetadata"]["PipelineShardMetadata"]["modelCard"]["modelId"] == MODEL:
            return tag, inner
    raise AssertionError(MODEL)


async def is_at(caller: Caller, node_id: str, tag: str) -> Any:
    now, inner = await entry(caller, node_id)
    return inner if now == tag else None


async def start(caller: Caller, node_id: str) -> None:
    _, inner = await entry(caller, node_id)
    body = {"target_node_id": node_id, "shard_metadata": inner["shardMetadata"]}
    answer = await caller.post("/download/start", body)
    assert set(answer.json()) == {"commandId"}  # camelCase here, unlike other commands


async def test_download_goes_from_pending_to_completed(fleet: Rehearsal, caller: Caller) -> None:
    node_id = fleet.node("soldier2").id
    assert await is_at(caller, node_id, "DownloadPending")
    await start(caller, node_id)
    inner = await until(lambda: is_at(caller, node_id, "DownloadOngoing"))
    progress = inner["downloadProgress"]
    assert progress["total"]["inBytes"] == sum(
        file["total"]["inBytes"] for file in progress["files"].values()
    )
    done = await until(lambda: is_at(caller, node_id, "DownloadCompleted"))
    assert done["readOnly"] is False


async def test_cancelled_download_is_pending_again(fleet: Rehearsal, caller: Caller) -> None:
    node_id = fleet.node("soldier2").id
    await start(caller, node_id)
    await until(lambda: is_at(caller, node_id, "DownloadOngoing"))
    await caller.post("/download/cancel", {"targetNodeId": node_id, "modelId": MODEL})
    assert await is_at(caller, node_id, "DownloadPending")


async def test_failed_download_says_why(fleet: Rehearsal, caller: Caller) -> None:
    node_id = fleet.node("soldier2").id
    await start(caller, node_id)
    await until(lambda: is_at(caller, node_id, "DownloadOngoing"))
    fleet.inject(Fault(FaultKind.DOWNLOAD_FAILS))
    inner = await until(lambda: is_at(caller, node_id, "DownloadFailed"))
    assert inner["errorMessage"] == "No space left on device"


async def test_deleted_model_leaves_the_disk(fleet: Rehearsal, caller: Caller) -> None:
    node_id = fleet.node("soldier2").id
    await start(caller, node_id)
    await until(lambda: is_at(caller, node_id, "DownloadCompleted"))
    await caller.client.delete(f"{fleet.urls[0]}/download/{node_id}/{MODEL}")
    assert await is_at(caller, node_id, "DownloadPending")


async def test_downloaded_model_outlives_a_restart(fleet: Rehearsal, caller: Caller) -> None:
    worker = fleet.node("soldier2")
    await start(caller, worker.id)
    await until(lambda: is_at(caller, worker.id, "DownloadCompleted"))
    await worker.restart()

    async def is_back() -> bool:
        return worker.id in (await caller.get("/state/downloads")).json()

    await until(is_back)
    assert await is_at(caller, worker.id, "DownloadCompleted")


async def test_placed_model_is_fetched_first_and_its_task_runs_for_ever(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(MODEL, nodes=["soldier2"], ready=False)

    async def is_ready() -> bool:
        return statuses(await caller.state(), MODEL) == ["RunnerReady"]

    await until(is_ready)
    tasks = (await caller.state())["tasks"].values()
    (fetching,) = [task["DownloadModel"] for task in tasks if "DownloadModel" in task]
    assert fetching["taskStatus"] == "Running"


async def test_download_that_names_nothing_is_refused(caller: Caller) -> None:
    assert (await caller.post("/download/start", {"target_node_id": "x"})).status_code == 422
    odd = {"target_node_id": "x", "shard_metadata": 5}
    assert (await caller.post("/download/start", odd)).status_code == 422
