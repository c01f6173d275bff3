"""Thinking or stuck: what a stream's silence means, out of everything else that is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .evidence import Evidence
from .sight import Sight
from .snapshot import RunnerPhase
from .streams import Stage, Stream

# A stream that says nothing for so long while another prompt is read is held up by it.
PAUSED_AFTER = timedelta(seconds=2)
# Who was told something so lately is being answered. No silence shorter than this says anything.
SPOKE_LATELY = timedelta(seconds=10)
# A GPU in use by more than this does something: who waits for it need not be stuck.
HARD_AT_WORK_FROM = 0.5


@dataclass(frozen=True, slots=True)
class HardAtWork:
    """A machine that is seen to work; `name` is None for the one that is looked at."""

    name: str | None
    gpu_usage: float

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        running = Evidence("runner_phase", RunnerPhase.RUNNING.value)
        if self.name is None:
            return (running,)  # its GPU is among its vitals
        gpu_usage = round(self.gpu_usage, 2)
        return running, Evidence("hard_at_work", self.name), Evidence("its_gpu_usage", gpu_usage)


def held_up_by(stream: Stream, sight: Sight) -> Stream | None:
    """The stream whose prompt is read while `stream` says nothing, None if there is none."""
    if sight.now - (stream.said_at or stream.stage_since) <= PAUSED_AFTER:
        return None
    readers = (s for s in _companions(stream, sight) if s.stage is Stage.READING and s.total)
    return next(readers, None)


def is_explained(stream: Stream, sight: Sight) -> bool:
    """Whether others explain a silence: who answers them is slow for this one, not stuck.

    exo's runner answers eight at once and reads one prompt at a time; the others wait.
    """
    said = (other.said_at for other in _companions(stream, sight) if other.said_at)
    answering = any(sight.now - at <= SPOKE_LATELY for at in said)
    return answering or held_up_by(stream, sight) is not None


def hard_at_work(stream: Stream, sight: Sight) -> HardAtWork | None:
    """A machine that works hard on `stream`, this one if it does; None where none is known to.

    Its runner runs, exo has just heard from it, and its GPU is busy. The machines of an instance
    wait for each other, so one that works is enough.
    """
    found = sorted(_at_work(stream, sight), key=lambda one: (one.name is not None, -one.gpu_usage))
    return next(iter(found), None)


def _at_work(stream: Stream, sight: Sight) -> Iterator[HardAtWork]:
    for shard in sight.shards_of(stream):
        node = sight.watch.snapshot and sight.watch.snapshot.node(shard.node_id)
        runs = shard.runner.phase is RunnerPhase.RUNNING and not sight.trouble(shard)
        if runs and node and (node.gpu_usage or 0.0) > HARD_AT_WORK_FROM:
            name = None if node.id == sight.node.id else sight.names.get(node.id, "another machine")
            yield HardAtWork(name, node.gpu_usage or 0.0)


def _companions(stream: Stream, sight: Sight) -> tuple[Stream, ...]:
    """The other streams of its model here that are not silent themselves."""
    others = (s for s in sight.heard if s.id != stream.id and s.model_id == stream.model_id)
    return tuple(s for s in others if not s.silent)
