"""`/state` beside what exo sent in the same situation, key by key."""

from functools import cache
from typing import Any

import pytest

from fleetweb.rehearsal import LARGE, MEDIUM, SMALL, Fault, FaultKind, Rehearsal
from tests.recordings import RECORDINGS, load, needs_recordings

from .asking import Caller, prompt, statuses
from .likeness import Shape, differences, missing, shape
from .waiting import until

pytestmark = needs_recordings

TIMELINES = (
    "concurrent-3-state-every-200ms.json",
    "delete-instance-state-every-100ms.json",
    "disconnect-state-every-200ms.json",
    "downloading-state-every-500ms.json",
    "gen-state-every-200ms.json",
    "kill-worker-in-instance-state-node4.json",
    "mid-placing-state-every-100ms.json",
    "slow-placing-state-every-100ms.json",
)


@cache
def everything_recorded() -> Shape:
    """All states exo was recorded in, as one shape."""
    singles = [load(path.name) for path in sorted(RECORDINGS.glob("*-state.*.json"))]
    found = shape(singles)
    for name in TIMELINES:
        for state in timeline(name):
            found.add(state)
    return found


def timeline(name: str) -> list[Any]:
    recorded = load(name)
    rows = recorded["rows"] if isinstance(recorded, dict) else recorded
    return [row["state"] for row in rows if row["state"]]


def assert_alike(state: Any, *situation: Any) -> None:
    """The state has nothing that exo never had, and all that it had in this situation."""
    rehearsed = shape([state])
    assert differences(rehearsed, everything_recorded()) == []
    assert missing(rehearsed, shape(situation)) == []


async def test_idle_fleet_is_built_like_exos(caller: Caller) -> None:
    assert_alike(await caller.state(), load("idle-4nodes-state.full.json"))


async def test_keys_stand_in_exos_order(caller: Caller) -> None:
    assert list(await caller.state()) == list(load("idle-4nodes-state.full.json"))


async def test_state_weighs_what_exos_weighs(caller: Caller) -> None:
    state, recorded = await caller.state(), load("idle-4nodes-state.full.json")
    counts = {len(entries) for entries in state["downloads"].values()}
    assert counts == {len(entries) for entries in recorded["downloads"].values()}
    assert 450_000 < len((await caller.get("/state")).content) < 650_000


async def test_fleet_with_a_model_on_two_nodes_is_built_like_exos(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(MEDIUM, nodes=["soldier1", "soldier2"])
    ready = load("cluster-2of4-ready-state.trimmed.json")
    ready["tasks"] = without(ready["tasks"], "ConnectToGroup")
    assert_alike(await caller.state(), ready)


async def test_model_that_came_up_on_two_nodes_leaves_the_tasks_exo_leaves(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(MEDIUM, nodes=["soldier1", "soldier2"], ready=False)
    await until(lambda: is_at(caller, MEDIUM, "RunnerReady"))
    assert_alike(await caller.state(), load("cluster-2of4-ready-state.trimmed.json"))


async def test_loading_is_built_like_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1"], ready=False)
    state = await until(lambda: is_at(caller, LARGE, "RunnerLoading"))
    loading = [s for s in timeline("slow-placing-state-every-100ms.json") if shows(s, "Loading")]
    assert loading
    assert_alike(state, *loading)


async def test_generating_is_built_like_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier3"])
    async for event in caller.events(prompt("a long story", LARGE, max_tokens=900)):
        if event.startswith("data:"):
            break
    state = await until(lambda: is_at(caller, LARGE, "RunnerRunning"))
    assert_alike(state, load("generating-state.trimmed.json"))


async def test_disconnected_task_is_built_like_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier3"])
    async for event in caller.events(prompt("a long story", LARGE, max_tokens=900)):
        if event.startswith("data:"):
            break
    await until(lambda: [task for task in fleet.tasks if task.status == "Cancelled"])
    disconnected = timeline("disconnect-state-every-200ms.json")[-1]
    await until(lambda: is_at(caller, LARGE, "RunnerReady"))
    assert_alike(await caller.state(), disconnected)


async def test_failed_runner_is_built_like_exos(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL, nodes=["soldier1"])
    fleet.inject(Fault(FaultKind.RUNNER_FAILS))
    state = await until(lambda: is_at(caller, SMALL, "RunnerFailed"))
    recorded = load("runner-failed-state.trimmed.json")
    recorded["tasks"] = only(recorded["tasks"], "CreateRunner", "LoadModel", "Shutdown")
    recorded["runners"] = only(recorded["runners"], "RunnerFailed")
    assert_alike(state, recorded)


async def test_downloading_is_built_like_exos(fleet: Rehearsal, caller: Caller) -> None:
    model = "mlx-community/gpt-oss-120b-8bit"
    await fleet.place(model, nodes=["soldier1"], ready=False)
    state = await until(lambda: is_at(caller, model, "RunnerIdle"))
    tags = {tag for entries in state["downloads"].values() for entry in entries for tag in entry}
    assert "DownloadOngoing" in tags
    recorded = load("downloading-state.trimmed.json")
    assert missing(shape([state["downloads"]]), shape([recorded["downloads"]])) == []
    assert differences(shape([state]), everything_recorded()) == []


async def test_deleted_instance_leaves_what_exo_leaves(fleet: Rehearsal, caller: Caller) -> None:
    instance_id = await fleet.place(SMALL, nodes=["soldier1"])
    await caller.client.delete(f"{fleet.urls[0]}/instance/{instance_id}")
    state = await caller.state()
    assert state["instances"] == {}
    deleted = timeline("delete-instance-state-every-100ms.json")[-1]
    deleted["tasks"] = only(deleted["tasks"], "CreateRunner", "LoadModel", "Shutdown")
    assert_alike(state, deleted)


async def test_state_after_a_lost_worker_is_built_like_exos(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.node("soldier3").kill()
    state = await until(lambda: has_nodes(caller, 3))
    lost = timeline("kill-worker-in-instance-state-node4.json")[-1]
    lost["tasks"], lost["runners"] = {}, {}
    assert_alike(state, lost)


@pytest.mark.parametrize("speed", [15.0])
async def test_runners_of_a_group_pass_through_the_statuses_of_exos_events(
    fleet: Rehearsal, caller: Caller
) -> None:
    """Those that exo was only recorded in as events, because no poll was quick enough."""
    events = load("event-samples.json")
    known = {key.partition(":")[2] for key in events if key.startswith("RunnerStatusUpdated:")}
    seen: set[str] = set()
    await fleet.place(SMALL, nodes=["soldier1", "soldier2", "soldier3"], ready=False)

    async def has_come_up() -> bool:
        runners = (await caller.get("/state/runners")).json()
        seen.update(status for runner in runners.values() for status in runner)
        return "RunnerReady" in seen

    await until(has_come_up)
    assert seen <= known
    assert {"RunnerIdle", "RunnerConnecting", "RunnerConnected", "RunnerLoading"} <= seen


async def is_at(caller: Caller, model: str, status: str) -> Any:
    state = await caller.state()
    return state if set(statuses(state, model)) == {status} else None


async def has_nodes(caller: Caller, count: int) -> Any:
    state = await caller.state()
    return state if len(state["topology"]["nodes"]) == count else None


def shows(state: Any, status: str) -> bool:
    return any(f"Runner{status}" in runner for runner in state["runners"].values())


def only(tagged: Any, *tags: str) -> Any:
    return {key: value for key, value in tagged.items() if set(value) <= set(tags)}


def without(tagged: Any, *tags: str) -> Any:
    return {key: value for key, value in tagged.items() if set(value).isdisjoint(tags)}
