"""One machine in its cluster, now: everything a rule of `cognition` may look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .evidence import Evidence
from .intensity import signals, weigh
from .presence import Condition
from .snapshot import (
    ENDING_PHASES,
    WAKING_PHASES,
    Download,
    ExoNode,
    Instance,
    RunnerPhase,
    Shard,
    Task,
    TaskStatus,
)
from .streams import SENT, Stream
from .watch import QUIET_AFTER, ClusterWatch


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything a rule may look at: one machine in its cluster, now.

    `names` are machines' names by exo id, of gone ones too; `troubles` say by exo id what keeps
    a machine from doing anything ("has gone quiet").
    """

    node: ExoNode
    watch: ClusterWatch
    instances: tuple[Instance, ...]
    names: Mapping[str, str]
    troubles: Mapping[str, str]
    now: datetime
    streams: tuple[Stream, ...] = ()  # those that go to this cluster

    @property
    def silent_s(self) -> float | None:
        """Seconds since exo last heard from this machine, None if exo does not say."""
        silence = self.watch.silence_of(self.node.last_seen_at)
        if silence is None or self.watch.answered_at is None:
            return None
        return (silence + (self.now - self.watch.answered_at)).total_seconds()

    @property
    def in_hand(self) -> tuple[tuple[Instance, tuple[Task, ...]], ...]:
        """The instances here that have work in hand and are past waking up, with that work."""
        tasks = [(instance, self._tasks(instance)) for instance in self.instances]
        return tuple((i, t) for i, t in tasks if t and self._is_awake(i))

    @property
    def heard(self) -> tuple[Stream, ...]:
        """The streams that this machine works for, as far as that is known."""
        awake = [i for i in self.instances if self._is_awake(i)]
        return tuple(s for s in self.streams if any(self._serves(i, s) for i in awake))

    def shards_of(self, stream: Stream) -> tuple[Shard, ...]:
        """The parts of the instance here that answers `stream`."""
        serving = (i for i in self.instances if self._serves(i, stream))
        return next((instance.shards for instance in serving), ())

    def _tasks(self, instance: Instance) -> tuple[Task, ...]:
        """What exo says it has in hand, and what was sent and exo has not shown yet.

        Before its first word nobody knows which of exo's tasks a stream is: so many streams as
        there are tasks are taken to be among them.
        """
        tasks = self.watch.snapshot.tasks_of(instance.id) if self.watch.snapshot else ()
        unseen = [
            Task(s.id, instance.id, TaskStatus.PENDING, s.command_id, s.model_id, s.preview)
            for s in self.streams
            if self._serves(instance, s)
        ]
        return (*tasks, *unseen[len(tasks) :])

    def _serves(self, instance: Instance, stream: Stream) -> bool:
        """Whether `stream` is answered here; of two instances of a model nobody knows which."""
        if stream.model_id != instance.model_id or stream.stage not in SENT:
            return False
        snapshot = self.watch.snapshot
        if snapshot is None:
            return False
        for task in snapshot.tasks:
            if task.command_id and task.command_id == stream.command_id:
                return task.instance_id == instance.id
        return sum(other.model_id == instance.model_id for other in snapshot.instances) == 1

    @property
    def downloads(self) -> tuple[Download, ...]:
        return tuple(d for (node, _), (_, d) in self.watch.learning.items() if node == self.node.id)

    def trouble(self, shard: Shard) -> str | None:
        """What keeps the machine that holds `shard` from doing its part, None if nothing does."""
        failed = "has stumbled" if shard.runner.phase is RunnerPhase.FAILED else None
        return self.troubles.get(shard.node_id, failed)

    def _is_awake(self, instance: Instance) -> bool:
        """Whether nothing of it is still on its way in, except where that has come to a stop.

        One that is on its way in takes requests too, and answers them afterwards.
        """
        phases = {s.runner.phase for s in instance.shards if not self.trouble(s)}
        return not phases & (WAKING_PHASES | ENDING_PHASES)

    def shard(self, instance: Instance) -> Shard:
        shard = instance.shard_on(self.node.id)
        assert shard is not None  # noqa: S101  `instances` are those on this node
        return shard

    def intensity(self, doing: float) -> float:
        return weigh(signals(self.node, doing))

    def vitals(self) -> tuple[Evidence, ...]:
        """What the machine's own instruments say, as far as they say it."""
        known = {
            "last_heard_s": self.silent_s,
            "gpu_usage": self.node.gpu_usage,
            "power_w": self.node.power_w,
            "temperature_c": self.node.temperature_c,
        }
        return tuple(Evidence(name, round(v, 2)) for name, v in known.items() if v is not None)


def is_quiet(node: ExoNode, watch: ClusterWatch) -> bool:
    """Whether exo counts the machine in but has not heard from it for more than five seconds."""
    silence = watch.silence_of(node.last_seen_at)
    if silence is None:
        return watch.condition is Condition.FROZEN
    return silence > QUIET_AFTER


def troubles(watch: ClusterWatch) -> dict[str, str]:
    """By exo id, the machines that can't do their part of an instance, and why not."""
    snapshot = watch.snapshot
    if snapshot is None:
        return {}
    quiet = {node.id: "has gone quiet" for node in snapshot.nodes if is_quiet(node, watch)}
    here = {node.id for node in snapshot.nodes}
    assigned = {node_id for instance in snapshot.instances for node_id in instance.node_ids}
    return quiet | dict.fromkeys(assigned - here, "is gone")
