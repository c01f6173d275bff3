"""What is placed and what is in hand: instances with their runners, and tasks.

exo never forgets the runners and tasks of instances that are gone, so the walk starts from the
instances. Source: exo 0.3.70.
"""

from collections.abc import Iterator

from ..core import words
from ..core.snapshot import (
    Instance,
    Runner,
    RunnerPhase,
    Shard,
    Task,
    TaskStatus,
)
from .exo_failure import failure_line
from .exo_nodes import byte_count
from .exo_salvage import LOST, Flaws, salvage
from .exo_wire import (
    InstanceFields,
    Message,
    RunnerFields,
    ShardFields,
    State,
    TaskParams,
    TextGeneration,
)

_PHASES = {
    f"Runner{phase.replace('_', ' ').title().replace(' ', '')}": phase for phase in RunnerPhase
}
_IN_HAND = {"Pending": TaskStatus.PENDING, "Running": TaskStatus.RUNNING}


def instances_of(state: State, flaws: Flaws) -> tuple[Instance, ...]:
    found = []
    for id_, union in (state.instances or {}).items():
        tagged = next(iter(union.items()), None)
        if tagged is None:
            flaws.note("instances: one is empty")
        else:
            found.append(_instance(id_, *tagged, state.runners or {}, flaws))
    return tuple(found)


def _instance(
    id_: str,
    tag: str,
    fields: InstanceFields,
    runners: dict[str, dict[str, RunnerFields]],
    flaws: Flaws,
) -> Instance:
    assigned = fields.shard_assignments
    shards = []
    for node_id, runner_id in assigned.node_to_runner.items():
        runner = _runner(runner_id, runners.get(runner_id), flaws)
        shards.append(_shard(node_id, runner, assigned.runner_to_shard.get(runner_id, {})))
    cards = [s.model_card for u in assigned.runner_to_shard.values() for s in u.values()]
    card = next((card for card in cards if card is not None), None)
    return Instance(
        id=id_,
        model_id=assigned.model_id,
        shards=tuple(sorted(shards, key=_rank)),
        transport=_word(tag.removeprefix("Mlx").removesuffix("Instance")),
        storage_bytes=byte_count(card.storage_size) if card else None,
        context_length=_count(card.context_length) if card else None,
    )


def _shard(node_id: str, runner: Runner, union: dict[str, ShardFields]) -> Shard:
    tag, fields = next(iter(union.items()), ("", ShardFields()))
    return Shard(
        node_id=node_id,
        runner=runner,
        device_rank=_count(fields.device_rank),
        world_size=_count(fields.world_size),
        start_layer=_count(fields.start_layer),
        end_layer=_count(fields.end_layer),
        n_layers=_count(fields.n_layers),
        sharding=_word(tag.removesuffix("ShardMetadata")),
    )


def _rank(shard: Shard) -> float:
    return float("inf") if shard.device_rank is None else shard.device_rank


def _runner(id_: str, union: dict[str, RunnerFields] | None, flaws: Flaws) -> Runner:
    """A runner that exo does not list yet is ABSENT: that lasts 1.5 to 5 s after placing."""
    if union is None:
        return Runner(id_)
    tag, fields = next(iter(union.items()), ("", RunnerFields()))
    phase = _PHASES.get(tag, RunnerPhase.UNKNOWN)
    if phase is RunnerPhase.UNKNOWN:
        flaws.note("runners: one is in a state this version does not know")
    loaded, total = _count(fields.layers_loaded), _count(fields.total_layers)
    if loaded is not None and total is not None:
        loaded = min(loaded, total)
    failed = phase is RunnerPhase.FAILED
    failure = failure_line(fields.error_message or "") if failed else None
    return Runner(id_, phase, loaded, total, failure)


def _word(name: str) -> str:
    return name[:40].lower() or "unknown"


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 2**53 else None


def tasks_of(state: State, instances: tuple[Instance, ...], flaws: Flaws) -> tuple[Task, ...]:
    """Text generations in hand. Pending ones are too: exo batches, and Pending is not queued."""
    models = {instance.id: instance.model_id for instance in instances}
    return tuple(
        _task(id_, task, _IN_HAND[task.task_status], models[task.instance_id], flaws)
        for id_, task in _generations(state)
        if task.task_status in _IN_HAND and task.instance_id in models
    )


def _generations(state: State) -> Iterator[tuple[str, TextGeneration]]:
    for id_, union in (state.tasks or {}).items():
        if union.text_generation is not None:
            yield id_, union.text_generation


def _task(id_: str, task: TextGeneration, status: TaskStatus, model: str, flaws: Flaws) -> Task:
    params = salvage(task.task_params, TaskParams | None, "tasks.taskParams", flaws)
    if params is LOST or params is None:
        params = TaskParams()
    return Task(
        id=id_,
        instance_id=task.instance_id,
        status=status,
        command_id=task.command_id,
        model_id=model,
        preview=_preview(params),
    )


def _preview(params: TaskParams) -> str | None:
    """The beginning of the last user message."""
    if isinstance(params.input, str):
        return words.preview(params.input)
    messages = params.input or params.chat_template_messages or []
    asked = next((m for m in reversed(messages) if m.role == "user"), None)
    return None if asked is None else words.preview(_text(asked))


def _text(message: Message) -> str:
    if isinstance(message.content, list):
        return " ".join(part.text for part in message.content if part.text)
    return message.content or ""
