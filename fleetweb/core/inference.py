"""The whole fleet's presence: each moment is folded from what was seen and the moment before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from . import words
from .absence import absent_machines
from .cognition import think
from .machines import Machine, identify
from .presence import (
    CognitiveState,
    FleetPresence,
    NodePresence,
    ShardShare,
    Span,
    Work,
)
from .roster import FleetNode, Role
from .sight import Sight, troubles
from .snapshot import DownloadPhase, Instance, RunnerPhase
from .streams import Answered, Stream
from .voice import cluster_presence, fleet_says
from .watch import ClusterWatch

RIBBON = timedelta(minutes=10)
TRAIL_SECONDS = 60

_ROLE_ORDER = {Role.KING: 0, Role.SOLDIER: 1, Role.DRUMMER: 2, Role.WORKER: 3}


def infer(
    fleet: Sequence[FleetNode],
    watches: Sequence[ClusterWatch],
    previous: FleetPresence | None,
    now: datetime,
    *,
    streams: Sequence[Stream] = (),
    answered: Sequence[Answered] = (),
    rehearsal: bool = False,
) -> FleetPresence:
    """What every machine is doing now. Text times are in `now`'s time zone."""
    answering = [(w.name, w.snapshot) for w in watches if w.answers and w.snapshot]
    before = {n.exo_id: n.name for n in previous.nodes if n.exo_id} if previous else {}
    machines = identify(answering, fleet, before)
    names = before | {machine.node.id: machine.name for machine in machines}
    here = list(_present(machines, watches, streams, names, now))
    absent = list(absent_machines(fleet, here, watches, previous, now))
    nodes = tuple(_after(node, previous, now) for node in sorted(here + absent, key=_order(fleet)))
    state, sentence = fleet_says(nodes, now, watches)
    return FleetPresence(
        at=now,
        sentence=sentence,
        state=state,
        intensity=_mean([n.load.intensity for n in nodes if n.exo]),
        nodes=nodes,
        clusters=tuple(cluster_presence(watch, names, now) for watch in watches),
        work=tuple(_work(watches, names, previous, now)),
        streams=tuple(sorted(streams, key=lambda stream: stream.asked_at)),
        answered=tuple(answered),
        spans=_spans(nodes, previous, now),
        rehearsal=rehearsal,
        sequence=previous.sequence if previous else 0,
    )


def nobody_yet(now: datetime) -> FleetPresence:
    """What can be said before anybody has looked: nothing of any machine."""
    return FleetPresence(
        at=now,
        sentence=words.FLEET_LOOKING,
        state=CognitiveState.OFFLINE,
        intensity=0.0,
        nodes=(),
    )


def _present(
    machines: Sequence[Machine],
    watches: Sequence[ClusterWatch],
    streams: Sequence[Stream],
    names: Mapping[str, str],
    now: datetime,
) -> Iterator[NodePresence]:
    for watch in watches:
        snapshot, troubled = watch.snapshot, troubles(watch)
        for machine in machines:
            if snapshot and machine.cluster == watch.name:
                instances = snapshot.instances_on(machine.node.id)
                here = tuple(s for s in streams if s.cluster == watch.name)
                sight = Sight(machine.node, watch, instances, names, troubled, now, here)
                yield _seen(machine, sight)


def _seen(machine: Machine, sight: Sight) -> NodePresence:
    node, snapshot = machine.node, sight.watch.snapshot
    failed = tuple(
        d
        for d in (snapshot.downloads if snapshot else ())
        if d.node_id == node.id and d.phase is DownloadPhase.FAILED
    )
    working = {instance.id for instance, _ in sight.in_hand}
    return NodePresence(
        name=machine.name,
        role=machine.role,
        load=think(sight),
        since=sight.now,
        memory_gb=_memory_gb(machine),
        host=machine.entry.host if machine.entry else None,
        cluster=machine.cluster,
        exo=node,
        exo_id=node.id,
        last_heard_at=sight.watch.heard_at(node.last_seen_at),
        shares=tuple(_share(i, node.id, sight.names, i.id in working) for i in sight.instances),
        downloads=sight.downloads + failed,
    )


def _memory_gb(machine: Machine) -> int | None:
    """As exo reports it, in whole GiB, which is what machines are sold by; else as configured."""
    if machine.node.memory_total_bytes is not None:
        return round(machine.node.memory_total_bytes / 2**30)
    return machine.entry.memory_gb if machine.entry else None


def _share(instance: Instance, node_id: str, names: Mapping[str, str], at_work: bool) -> ShardShare:
    shard = instance.shard_on(node_id)
    runner = shard.runner if shard else None
    return ShardShare(
        instance_id=instance.id,
        model_id=instance.model_id,
        phase=runner.phase if runner else RunnerPhase.ABSENT,
        start_layer=shard.start_layer if shard else None,
        end_layer=shard.end_layer if shard else None,
        n_layers=shard.n_layers if shard else None,
        layers_loaded=runner.layers_loaded if runner else None,
        total_layers=runner.total_layers if runner else None,
        at_work=at_work,
        companions=tuple(
            names.get(other, "another machine") for other in instance.node_ids if other != node_id
        ),
        sharding=shard.sharding if shard else "unknown",
    )


def _after(node: NodePresence, previous: FleetPresence | None, now: datetime) -> NodePresence:
    """`node` with what it keeps from the moment before: since when, and its trail."""
    before = previous.node(node.name) if previous else None
    if previous is None or before is None:
        return replace(node, since=now, trail=(node.load.intensity if node.exo else None,))
    same = before.load.state is node.load.state
    trail = (*before.trail, *_new_seconds(before, node, previous.at, now))[-TRAIL_SECONDS:]
    return replace(node, since=before.since if same else now, trail=trail)


def _new_seconds(
    before: NodePresence, node: NodePresence, then: datetime, now: datetime
) -> list[float | None]:
    """Intensity for every second that has begun since `then`: as it was, and at last as it is."""
    begun = min(TRAIL_SECONDS, int(now.timestamp()) - int(then.timestamp()))
    if begun < 1:
        return []
    was, is_now = (n.load.intensity if n.exo else None for n in (before, node))
    return [*[was] * (begun - 1), is_now]


def _order(fleet: Sequence[FleetNode]) -> Callable[[NodePresence], tuple[int, int, str]]:
    """King first, then the owner's own order, then the others by name."""
    places = {entry.name: place for place, entry in enumerate(fleet)}

    def key(node: NodePresence) -> tuple[int, int, str]:
        return _ROLE_ORDER[node.role], places.get(node.name, len(places)), node.name

    return key


def _work(
    watches: Sequence[ClusterWatch],
    names: Mapping[str, str],
    previous: FleetPresence | None,
    now: datetime,
) -> Iterator[Work]:
    started = {work.id: work.started_at for work in previous.work} if previous else {}
    for watch in watches:
        if watch.answers and watch.snapshot:
            for task in watch.snapshot.tasks:
                instance = watch.snapshot.instance(task.instance_id)
                ids = instance.node_ids if instance else ()
                yield Work(
                    id=task.id,
                    cluster=watch.name,
                    instance_id=task.instance_id,
                    nodes=tuple(names[i] for i in ids if i in names),
                    started_at=started.get(task.id, now),
                    command_id=task.command_id,
                    model_id=instance.model_id if instance else task.model_id,
                    preview=task.preview,
                )


def _spans(
    nodes: Sequence[NodePresence], previous: FleetPresence | None, now: datetime
) -> tuple[Span, ...]:
    """The last ten minutes of every machine's states."""
    states = {node.name: node.load.state for node in nodes}
    spans = [_continued(span, states, now) for span in (previous.spans if previous else ())]
    lasting = {span.node for span in spans if span.ended_at is None}
    begun = [Span(name, state, now) for name, state in states.items() if name not in lasting]
    return tuple(s for s in (*spans, *begun) if s.ended_at is None or s.ended_at > now - RIBBON)


def _continued(span: Span, states: Mapping[str, CognitiveState], now: datetime) -> Span:
    if span.ended_at is not None or states.get(span.node) is span.state:
        return span
    return replace(span, ended_at=now)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0
