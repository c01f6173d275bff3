"""The machines that ought to be here and are not: since when, and why as far as that is known."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from . import words
from .evidence import Evidence
from .presence import (
    CognitiveLoad,
    CognitiveState,
    Condition,
    FleetPresence,
    NodePresence,
)
from .roster import FleetNode
from .watch import ClusterWatch

# exo's machines are back about 7 s after an election; until then nobody is offline for it.
ELECTION_TAKES = timedelta(seconds=15)


def absent_machines(
    fleet: Sequence[FleetNode],
    here: Sequence[NodePresence],
    watches: Sequence[ClusterWatch],
    previous: FleetPresence | None,
    now: datetime,
) -> Iterator[NodePresence]:
    """The machines that ought to be here, or were, and are not.

    One that went by another name until exo had gathered its addresses is here, not away.
    """
    seen, ids = {node.name for node in here}, {node.exo_id for node in here}
    before = {n.name: n for n in previous.nodes} if previous else {}
    for name, node in before.items():
        if name not in seen and node.exo_id not in ids:
            yield replace(node, load=_away(node, watches, now), exo=None, shares=(), downloads=())
    for entry in fleet:
        if entry.name not in seen and entry.name not in before:
            never = _never_seen(entry, now)
            yield replace(never, load=_away(never, watches, now))


def _never_seen(entry: FleetNode, now: datetime) -> NodePresence:
    return NodePresence(
        name=entry.name,
        role=entry.role,
        load=CognitiveLoad(0.0, CognitiveState.OFFLINE),
        since=now,
        memory_gb=entry.memory_gb,
        host=entry.host,
    )


def _away(node: NodePresence, watches: Sequence[ClusterWatch], now: datetime) -> CognitiveLoad:
    watch = next((w for w in watches if w.name == node.cluster), None)
    was_here = node.load.state is not CognitiveState.OFFLINE
    if watch and was_here and _electing(watch, now):
        evidence = (Evidence("cluster_condition", watch.condition.value, source="poll"),)
        sentence = words.quiet_election()
        return CognitiveLoad(0.0, CognitiveState.QUIET, evidence=evidence, sentence=sentence)
    return CognitiveLoad(
        0.0,
        CognitiveState.OFFLINE,
        evidence=tuple(_why_away(node, watch, now)),
        sentence=words.offline(node.last_heard_at, now),
    )


def _electing(watch: ClusterWatch, now: datetime) -> bool:
    """Whether exo has just begun anew, and its machines are still finding each other."""
    return (
        watch.condition is Condition.REELECTED
        and watch.elected_at is not None
        and now - watch.elected_at <= ELECTION_TAKES
    )


def _why_away(node: NodePresence, watch: ClusterWatch | None, now: datetime) -> Iterator[Evidence]:
    if node.last_heard_at is None:
        yield Evidence("seen", value=False, source="config")
    else:
        yield Evidence("last_heard_s", round((now - node.last_heard_at).total_seconds(), 1))
    if watch and not watch.answers:
        yield Evidence("cluster_condition", watch.condition.value, source="poll")
    elif watch:
        yield Evidence("in_topology", value=False)
