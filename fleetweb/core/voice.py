"""What the fleet says of itself as a whole, and what is wrong with a cluster, if anything is."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from . import words
from .intensity import HARD_WORK
from .presence import (
    AT_WORK,
    NEEDS_OWNER,
    ClusterPresence,
    CognitiveState,
    Condition,
    DoorSeen,
    NodePresence,
)
from .watch import ClusterWatch

# How long a machine's loss is the fleet's news; after that its owner knows.
LOSS_IS_NEWS = timedelta(minutes=5)


def fleet_says(
    nodes: Sequence[NodePresence], now: datetime, watches: Sequence[ClusterWatch] = ()
) -> tuple[CognitiveState, str]:
    """The fleet's state and sentence: the machine that needs its owner speaks for all."""
    if all(node.load.state is CognitiveState.OFFLINE for node in nodes):
        lost = any(_has_just_gone(watch, now) for watch in watches)
        return CognitiveState.OFFLINE, words.FLEET_LOST if lost else words.FLEET_SLEEPING
    troubled = min(_in_need(nodes, now), key=_urgency, default=None)
    if troubled:
        return troubled.load.state, words.named(troubled.name, troubled.load.sentence)
    at_work = [node for node in nodes if node.load.state in AT_WORK]
    if at_work:
        return _working(at_work)
    for state in (CognitiveState.LEARNING, CognitiveState.WAKING):
        busy = [node for node in nodes if node.load.state is state]
        if busy:
            return state, min(busy, key=_completion).load.sentence
    return CognitiveState.IDLE, words.FLEET_WAITING


def _has_just_gone(watch: ClusterWatch, now: datetime) -> bool:
    """Whether it answered a while ago and does not any more: that is no sleep."""
    answered_at = watch.answered_at
    return not watch.answers and answered_at is not None and now - answered_at <= LOSS_IS_NEWS


def _in_need(nodes: Sequence[NodePresence], now: datetime) -> Iterator[NodePresence]:
    for node in nodes:
        lost = node.last_heard_at is not None and now - node.since <= LOSS_IS_NEWS
        if node.load.state in NEEDS_OWNER and (
            node.load.state is not CognitiveState.OFFLINE or lost
        ):
            yield node


def _urgency(node: NodePresence) -> int:
    """Work that stands still first; then in the order of the states."""
    if node.load.state is CognitiveState.SILENT:
        return -1
    return list(CognitiveState).index(node.load.state)


def _completion(node: NodePresence) -> float:
    """The one that is furthest behind speaks for those that wait for it."""
    done = node.load.estimated_completion_pct
    return math.inf if done is None else done


def _working(at_work: Sequence[NodePresence]) -> tuple[CognitiveState, str]:
    deep = (CognitiveState.RESOLVING, CognitiveState.GRAPPLING)
    deepest = next((node.load.state for node in at_work if node.load.state in deep), None)
    if deepest:
        return deepest, words.FLEET_DEEP
    hard = any(node.load.intensity > HARD_WORK for node in at_work)
    return CognitiveState.PROCESSING, words.FLEET_DEEP if hard else words.FLEET_PROCESSING


def cluster_presence(
    watch: ClusterWatch, names: Mapping[str, str], now: datetime
) -> ClusterPresence:
    """A cluster's condition, with a sentence and advice where something is wrong."""
    said = {
        Condition.FORMING: (words.CLUSTER_FORMING, words.ADVICE_FORMING),
        Condition.FROZEN: (words.CLUSTER_FROZEN, words.ADVICE_FROZEN),
        Condition.REELECTED: (
            words.cluster_elected([words.short_model(model) for model in watch.lost]),
            words.ADVICE_LOST if watch.lost else words.ADVICE_ELECTED,
        ),
        Condition.UNREACHABLE: (_trouble(watch, now), words.ADVICE_UNREACHABLE),
        Condition.INVALID: (_trouble(watch, now), words.ADVICE_INVALID),
    }
    sentence, advice = said.get(watch.condition, (None, None))
    return ClusterPresence(
        name=watch.name,
        condition=watch.condition,
        since=watch.since,
        door=watch.door,
        answered_at=watch.answered_at,
        sentence=sentence,
        advice=advice,
        doors=tuple(
            DoorSeen(door.url, names.get(door.node_id or ""), door.failed_at is None)
            for door in watch.doors
        ),
    )


def _trouble(watch: ClusterWatch, now: datetime) -> str:
    return words.cluster_trouble(watch.problem, watch.door, watch.answered_at or watch.since, now)
