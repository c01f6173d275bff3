"""What /state says of one instance: its runners' statuses, and the tasks they were given."""

from .placement import Instance, Shard, new_id
from .stage import Stage


class Records:
    """Writes the events of one instance. Tasks other than text generations never go away."""

    def __init__(self, stage: Stage, instance: Instance) -> None:
        self._stage, self._instance = stage, instance

    @property
    def runner_ids(self) -> tuple[str, ...]:
        return tuple(shard.runner_id for shard in self._instance.shards)

    @property
    def is_placed(self) -> bool:
        return self._instance.id in self._stage.state.instances

    @property
    def has_failed(self) -> bool:
        runners = self._stage.state.runners
        return any("RunnerFailed" in runners.get(i, {}) for i in self.runner_ids)

    def status(self, status: str, **details: object) -> None:
        for runner_id in self.runner_ids:
            self._stage.state.runner_status_updated(runner_id, status, **details)

    def loading(self, shard: Shard, layers: int) -> None:
        self._stage.state.runner_status_updated(
            shard.runner_id, "RunnerLoading", layersLoaded=layers, totalLayers=shard.layers
        )

    def new_task(self, kind: str, status: str = "Pending", **rest: object) -> str:
        task_id = new_id(self._stage.rng)
        known = {"taskId": task_id, "taskStatus": status, "instanceId": self._instance.id}
        self._stage.state.task_created(kind, known | rest)
        return task_id

    def tasks(self, kind: str, status: str = "Pending") -> list[str]:
        """One for each runner."""
        return [self.new_task(kind, status) for _ in self._instance.shards]

    def shutdown(self) -> None:
        for runner_id in self.runner_ids:
            self.new_task("Shutdown", runnerId=runner_id)

    def cancel(self, task_id: str) -> None:
        """Tell every runner that one task is not wanted any more."""
        for runner_id in self.runner_ids:
            self.new_task("CancelTask", "Complete", cancelledTaskId=task_id, runnerId=runner_id)

    def run(self, task_ids: list[str]) -> None:
        for task_id in task_ids:
            self._stage.state.task_status_updated(task_id, "Running")

    def complete(self, task_ids: list[str]) -> None:
        for task_id in task_ids:
            self._stage.state.task_status_updated(task_id, "Complete")


def traceback_of(reason: str) -> str:
    """What `RunnerFailed.errorMessage` looks like: a Python traceback with paths in it."""
    return (
        f"Terminated (exitcode=1\nRunner error: Exception: {reason}\n"
        "Traceback (most recent call last):\n"
        '  File "/Users/exo/exo/src/exo/worker/runner/bootstrap.py", line 89, in entrypoint\n'
        "    runner.main()\n"
        "    ~~~~~~~~~~~^^\n"
        f"Exception: {reason}\n)"
    )
