"""How models come up, fail and come up again, and what they hold of a machine's memory."""

from typing import Any

import pytest

from fleetweb.errors import ConfigError
from fleetweb.rehearsal import FRONTIER, LARGE, MEDIUM, SMALL, Fault, FaultKind, Rehearsal

from .asking import Caller, instance_of, prompt, statuses
from .waiting import until

KIMI = "mlx-community/Kimi-K2-Thinking"


async def all_at(caller: Caller, status: str) -> bool:
    """Whether there are runners and all are at this; a small look, for what is brief."""
    runners = (await caller.get("/state/runners")).json().values()
    return bool(runners) and all(set(runner) == {status} for runner in runners)


async def layers(caller: Caller) -> tuple[int, int] | None:
    for runner in (await caller.get("/state/runners")).json().values():
        if loading := runner.get("RunnerLoading"):
            return loading["layersLoaded"], loading["totalLayers"]
    return None


async def test_placed_instance_has_no_runners_entry_at_first(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL, nodes=["soldier1"], ready=False)
    assert statuses(await caller.state(), SMALL) == [None]
    await until(lambda: all_at(caller, "RunnerReady"))


async def test_layers_rise_from_nothing_to_one_less_than_all(
    fleet: Rehearsal, caller: Caller
) -> None:
    seen: list[tuple[int, int]] = []
    await fleet.place(LARGE, nodes=["soldier1", "soldier2"], ready=False)

    async def ready() -> bool:
        if (now := await layers(caller)) and now not in seen:
            seen.append(now)
        return await all_at(caller, "RunnerReady")

    await until(ready)
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {47}
    assert all(0 <= loaded < 47 for loaded, _ in seen)
    assert len(seen) > 2


async def test_layers_are_dealt_by_free_memory(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(KIMI, nodes=["king", "soldier1", "soldier2", "soldier3"])
    instance = instance_of(await caller.state(), KIMI)
    assert instance is not None
    parts = [shard["PipelineShardMetadata"] for shard in shards_of(instance)]
    assert [p["deviceRank"] for p in parts] == [0, 1, 2, 3]
    assert [p["startLayer"] for p in parts[1:]] == [p["endLayer"] for p in parts[:-1]]
    assert (parts[0]["startLayer"], parts[-1]["endLayer"]) == (0, 61)
    assert parts[0]["endLayer"] > parts[1]["endLayer"] - parts[1]["startLayer"]


def shards_of(instance: Any) -> list[Any]:
    return list(instance["shardAssignments"]["runnerToShard"].values())


async def test_loaded_model_takes_the_memory_of_its_machine(
    fleet: Rehearsal, caller: Caller
) -> None:
    before = await free_bytes(fleet, caller)
    instance_id = await fleet.place(MEDIUM, nodes=["soldier1"])

    async def is_taken() -> bool:
        return before - await free_bytes(fleet, caller) > 39e9

    async def is_free_again() -> bool:
        return before - await free_bytes(fleet, caller) < 1e9

    await until(is_taken)
    fleet.remove(instance_id)
    await until(is_free_again)


async def free_bytes(fleet: Rehearsal, caller: Caller) -> int:
    memory = (await caller.get(f"/state/nodeMemory/{fleet.node('soldier1').id}")).json()
    return int(memory["ramAvailable"]["inBytes"])


async def test_machine_at_work_shows_it_in_its_gpu(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(LARGE, nodes=["soldier1"])
    gpu = f"/state/nodeSystem/{fleet.node('soldier1').id}/gpuUsage"
    assert float((await caller.get(gpu)).text) < 0.1
    async for event in caller.events(prompt("a long story", LARGE)):
        if event.startswith("data:"):

            async def works() -> bool:
                return float((await caller.get(gpu)).text) > 0.5

            await until(works)
            break


async def test_model_goes_where_it_fits_on_the_fewest_machines(
    fleet: Rehearsal, caller: Caller
) -> None:
    await caller.post("/place_instance", {"model_id": FRONTIER})
    await caller.post("/place_instance", {"model_id": KIMI})
    await until(lambda: is_placed(caller, FRONTIER, ["king"]))
    await until(lambda: is_placed(caller, KIMI, ["soldier1", "soldier2", "soldier3"]))


async def is_placed(caller: Caller, model: str, names: list[str]) -> bool:
    instance = instance_of(await caller.state(), model)
    if instance is None:
        return False
    placed = set(instance["shardAssignments"]["nodeToRunner"])
    return placed == {caller.fleet.node(name).id for name in names}


async def test_failed_runner_is_ready_again_after_a_while(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    await caller.chat(prompt("please EXO RUNNER MUST OOM now"))
    assert await all_at(caller, "RunnerFailed")
    await until(lambda: all_at(caller, "RunnerReady"))
    assert (await caller.chat(prompt(max_tokens=2))).json()["usage"]["completion_tokens"] == 2


async def test_instance_is_given_up_after_five_starts(fleet: Rehearsal, caller: Caller) -> None:
    instance_id = await fleet.place(SMALL)
    for _ in range(4):
        fleet.inject(Fault(FaultKind.RUNNER_FAILS))
        await until(lambda: all_at(caller, "RunnerFailed"))
        assert instance_id in (await caller.state())["instances"]
        await until(lambda: all_at(caller, "RunnerReady"))
    fleet.inject(Fault(FaultKind.RUNNER_FAILS))
    await until(lambda: is_gone(caller, instance_id))


async def is_gone(caller: Caller, instance_id: str) -> bool:
    return instance_id not in (await caller.state())["instances"]


async def test_failure_while_loading_says_that_memory_ran_out(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(MEDIUM, ready=False)
    await until(lambda: layers(caller))
    fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=MEDIUM))
    await until(lambda: all_at(caller, "RunnerFailed"))
    (runner,) = (await caller.state())["runners"].values()
    assert "allocate more than" in runner["RunnerFailed"]["errorMessage"]


async def test_unknown_model_and_one_that_does_not_fit_are_refused(fleet: Rehearsal) -> None:
    with pytest.raises(ConfigError, match="knows no model"):
        await fleet.place("mlx-community/Llama-9")
    with pytest.raises(ConfigError, match="does not fit on soldier1"):
        await fleet.place(FRONTIER, nodes=["soldier1"])
