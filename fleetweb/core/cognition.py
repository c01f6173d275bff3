"""What one machine is doing, from what is seen of it.

Each rule looks for one state and answers None if it does not hold. `RULES` is their order: what
needs the owner most comes first, except that work in hand goes before learning and waking.
"""

from collections.abc import Callable, Iterator, Sequence

from . import words
from .evidence import Evidence
from .hearing import circling, grappling, paused, reading, resolving, silent
from .intensity import HARD_WORK, effort
from .presence import CognitiveLoad, CognitiveState, Condition, percent
from .sight import Sight, is_quiet
from .snapshot import READY_PHASES, WAKING_PHASES, Instance, RunnerPhase, Shard
from .watch import QUIET_AFTER

# How much a machine is asked to do while no request is in hand (compare intensity.effort).
EFFORT_WAKING = 0.5
EFFORT_LEARNING = 0.3

Rule = Callable[[Sight], CognitiveLoad | None]


def think(sight: Sight) -> CognitiveLoad:
    """The first state that holds, with its evidence and its sentence."""
    return next(load for rule in RULES if (load := rule(sight)))


def _quiet(sight: Sight) -> CognitiveLoad | None:
    watch = sight.watch
    if not is_quiet(sight.node, watch):
        return None
    still_s = (sight.now - (watch.moved_at or sight.now)).total_seconds()
    silent_s = still_s if sight.silent_s is None else sight.silent_s
    evidence = [Evidence("last_heard_s", round(silent_s, 1), QUIET_AFTER.total_seconds())]
    sentence = words.quiet(silent_s)
    if watch.condition is Condition.FROZEN:
        index = watch.snapshot.event_index if watch.snapshot else None
        evidence.append(Evidence("event_index_still", index))
        sentence = words.quiet_frozen(silent_s)
    return CognitiveLoad(0.0, CognitiveState.QUIET, evidence=tuple(evidence), sentence=sentence)


def _stumbled(sight: Sight) -> CognitiveLoad | None:
    for instance in sight.instances:
        runner = sight.shard(instance).runner
        if runner.phase is RunnerPhase.FAILED:
            while_doing = _while_doing(sight.watch.fell_during.get(runner.id))
            model = words.short_model(instance.model_id)
            return CognitiveLoad(
                sight.intensity(0.0),
                CognitiveState.STUMBLED,
                evidence=(
                    Evidence("runner_phase", runner.phase.value),
                    Evidence("failed_while", while_doing),
                    Evidence("reason", runner.failure),
                    *sight.vitals(),
                ),
                sentence=words.stumbled(model, while_doing, runner.failure),
            )
    return None


def _while_doing(phase: RunnerPhase | None) -> str | None:
    if phase is None:
        return None
    return "loading" if phase in WAKING_PHASES else "running"


def _held_up(sight: Sight) -> CognitiveLoad | None:
    """Work in hand that can't go on: another machine of the instance does not do its part."""
    for instance, tasks in sight.in_hand:
        for shard in instance.shards:
            trouble = sight.trouble(shard)
            if trouble and shard.node_id != sight.node.id:
                name = sight.names.get(shard.node_id, "a machine")
                part = words.layers(shard.start_layer, shard.end_layer)
                return CognitiveLoad(
                    sight.intensity(0.0),
                    CognitiveState.SILENT,
                    current_task=tasks[0].preview,
                    evidence=(
                        Evidence("waiting_for", name),
                        Evidence("waiting_because", f"{name} {trouble}"),
                        Evidence("requests_in_hand", len(tasks)),
                        *sight.vitals(),
                    ),
                    sentence=words.held_up(name, part, trouble),
                )
    return None


def _processing(sight: Sight) -> CognitiveLoad | None:
    tasks = [task for _, in_hand in sight.in_hand for task in in_hand]
    if not tasks:
        return None
    intensity = sight.intensity(effort(len(tasks)))
    phases = {sight.shard(instance).runner.phase.value for instance, _ in sight.in_hand}
    hard = intensity > HARD_WORK
    return CognitiveLoad(
        intensity,
        CognitiveState.PROCESSING,
        current_task=tasks[0].preview,
        evidence=(
            Evidence("requests_in_hand", len(tasks)),
            Evidence("runner_phase", words.listing(sorted(phases))),
            *_parts_held(sight),
            *sight.vitals(),
        ),
        sentence=words.processing(tasks[0].preview, len(tasks) - 1, hard=hard),
    )


def _parts_held(sight: Sight) -> Iterator[Evidence]:
    """Which part of a model that works on several machines is here."""
    for instance, _ in sight.in_hand:
        shard = sight.shard(instance)
        part = words.layers(shard.start_layer, shard.end_layer)
        if part and len(instance.shards) > 1:
            yield Evidence("holds", part, shard.n_layers)


def _learning(sight: Sight) -> CognitiveLoad | None:
    if not sight.downloads:
        return None
    download = max(sight.downloads, key=lambda d: d.total_bytes or 0)
    so_far = percent(download.downloaded_bytes, download.total_bytes)
    model = words.short_model(download.model_id)
    return CognitiveLoad(
        sight.intensity(EFFORT_LEARNING),
        CognitiveState.LEARNING,
        estimated_completion_pct=so_far,
        evidence=(
            Evidence("downloaded_bytes", download.downloaded_bytes, download.total_bytes),
            Evidence("bytes_per_s", download.bytes_per_s),
            *sight.vitals(),
        ),
        sentence=words.learning(model, so_far, download.eta_s),
    )


def _waking(sight: Sight) -> CognitiveLoad | None:
    for instance in sight.instances:
        shard = sight.shard(instance)
        if any(s.runner.phase in WAKING_PHASES for s in instance.shards):
            runner = shard.runner
            model = words.short_model(instance.model_id)
            return CognitiveLoad(
                sight.intensity(EFFORT_WAKING),
                CognitiveState.WAKING,
                estimated_completion_pct=percent(runner.layers_loaded, runner.total_layers),
                evidence=(
                    Evidence("runner_phase", runner.phase.value),
                    Evidence("layers_loaded", runner.layers_loaded, runner.total_layers),
                    *sight.vitals(),
                ),
                sentence=words.waking(model, _step(sight, instance, shard)),
            )
    return None


def _idle(sight: Sight) -> CognitiveLoad:
    ready = [i for i in sight.instances if i.is_ready and not any(map(sight.trouble, i.shards))]
    return CognitiveLoad(
        sight.intensity(0.0),
        CognitiveState.IDLE,
        evidence=(Evidence("models_ready", len(ready)), *sight.vitals()),
        sentence=words.IDLE_READY if ready else words.IDLE_EMPTY,
    )


RULES: tuple[Rule, ...] = (
    _quiet,
    _stumbled,
    _held_up,
    silent,
    circling,
    resolving,
    grappling,
    paused,
    reading,
    _processing,
    _learning,
    _waking,
    _idle,
)


def _step(sight: Sight, instance: Instance, shard: Shard) -> str:
    """How far this machine is with waking a model up."""
    runner = shard.runner
    if runner.phase is RunnerPhase.LOADING and runner.total_layers:
        return words.waking_layers(runner.layers_loaded or 0, runner.total_layers)
    others = [s for s in instance.shards if s != shard]
    if runner.phase in (RunnerPhase.CONNECTING, RunnerPhase.CONNECTED) and others:
        return f"joining hands with {_names(sight, others)}"
    if runner.phase in READY_PHASES:
        late = [s for s in others if s.runner.phase in WAKING_PHASES]
        return f"ready here, waiting for {_names(sight, late)}"
    if runner.phase is RunnerPhase.LOADED:
        return "all its layers are in"
    return "warming up" if runner.phase is RunnerPhase.WARMING_UP else "getting ready"


def _names(sight: Sight, shards: Sequence[Shard]) -> str:
    return words.listing([sight.names.get(s.node_id, "another machine") for s in shards])
