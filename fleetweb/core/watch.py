"""What has been seen of one cluster so far, and what that says about the cluster as a whole.

Whoever polls folds every answer and every failure into a `ClusterWatch`; each step gives a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from .doors import Door
from .presence import Condition
from .snapshot import ClusterSnapshot, Download, DownloadPhase, RunnerPhase

# exo tells about every machine once a second; it drops one only after 30 s. Five seconds are
# five missed words, and no more than one slow poll.
QUIET_AFTER = timedelta(seconds=5)
# For how long an election is news: its machines are back after about 7 s.
ELECTION_IS_NEWS = timedelta(seconds=30)
# Between two reports of its progress exo may show a running download as pending, or not at all.
DOWNLOAD_PAUSE = timedelta(seconds=6)

# By node and model: when a download was last reported as going on, and what was said of it.
Learning: TypeAlias = Mapping[tuple[str, str], tuple[datetime, Download]]


@dataclass(frozen=True, slots=True)
class ClusterWatch:
    """One cluster as seen so far.

    `snapshot` is the last good answer; `answered_at` is when it came. `moved_at` is when exo's
    view last moved: its event index or the newest of its lastSeen. `lost` are the models that the
    election at `elected_at` unloaded. `problem` is what went wrong at the last attempt, None after
    a good one. `fell_during` says what a failed runner was doing.
    """

    name: str
    since: datetime
    condition: Condition = Condition.UNSEEN
    snapshot: ClusterSnapshot | None = None
    door: str | None = None
    answered_at: datetime | None = None
    moved_at: datetime | None = None
    elected_at: datetime | None = None
    lost: tuple[str, ...] = ()
    problem: str | None = None
    doors: tuple[Door, ...] = ()
    fell_during: Mapping[str, RunnerPhase] = field(default_factory=dict)
    learning: Learning = field(default_factory=dict)

    def heard(self, snapshot: ClusterSnapshot, door: str, now: datetime) -> "ClusterWatch":
        """After a good answer."""
        moved_at = now if _moved(self.snapshot, snapshot) else self.moved_at or now
        elected = _elected(self, snapshot, door)
        watch = replace(
            self,
            snapshot=snapshot,
            door=door,
            answered_at=now,
            problem=None,
            moved_at=moved_at,
            elected_at=now if elected else self.elected_at,
            lost=_lost(self) if elected else self.lost,
            fell_during=_fell_during(self, snapshot),
            learning=_learning(self.learning, snapshot, now),
        )
        if watch.elected_at is not None and now - watch.elected_at <= ELECTION_IS_NEWS:
            return watch._now_in(Condition.REELECTED, now)
        if not snapshot.nodes:
            return watch._now_in(Condition.FORMING, now)
        frozen = now - moved_at > QUIET_AFTER
        return watch._now_in(Condition.FROZEN if frozen else Condition.WELL, now)

    def missed(
        self, problem: str, condition: Condition, door: str, now: datetime
    ) -> "ClusterWatch":
        """After a failed attempt. One missed beat changes nothing; going without for 5 s does."""
        watch = replace(self, problem=problem, door=door)
        if self.answered_at is not None and now - self.answered_at <= QUIET_AFTER:
            return watch
        return watch._now_in(condition, now)

    def silence_of(self, last_seen_at: datetime | None) -> timedelta | None:
        """How long a machine had not been heard of at the last answer, by exo's own clock."""
        if last_seen_at is None or self.snapshot is None:
            return None
        newest = self.snapshot.newest_seen_at
        if newest is None or self.answered_at is None or self.moved_at is None:
            return None
        return newest + (self.answered_at - self.moved_at) - last_seen_at

    def heard_at(self, last_seen_at: datetime | None) -> datetime | None:
        """When exo last heard of a machine, by our own clock: exo's may be hours off."""
        silence = self.silence_of(last_seen_at)
        return None if silence is None or self.answered_at is None else self.answered_at - silence

    @property
    def answers(self) -> bool:
        return self.condition in (Condition.WELL, Condition.FROZEN, Condition.REELECTED)

    def _now_in(self, condition: Condition, now: datetime) -> "ClusterWatch":
        if condition is self.condition:
            return self
        return replace(self, condition=condition, since=now)


def _moved(before: ClusterSnapshot | None, after: ClusterSnapshot) -> bool:
    """Whether exo's view moved. Both signs must stand still before it counts as frozen."""
    return (
        before is None
        or before.event_index != after.event_index
        or before.newest_seen_at != after.newest_seen_at
    )


def _elected(watch: ClusterWatch, after: ClusterSnapshot, door: str) -> bool:
    """Whether exo has started over: everybody is gone at once, or its event index fell.

    Another door may lag some hundred events behind the last one; that is no election.
    """
    before = watch.snapshot
    if before is None or not before.nodes:
        return False
    if not after.nodes:
        return True
    if before.event_index is None or after.event_index is None:
        return False
    survived = any(after.instance(instance.id) for instance in before.instances)
    least = before.event_index if door == watch.door else before.event_index // 2
    return after.event_index < least and not survived


def _lost(watch: ClusterWatch) -> tuple[str, ...]:
    """The models an election unloads, or has already, where it takes several answers."""
    placed = watch.snapshot.instances if watch.snapshot else ()
    already = watch.lost if watch.condition is Condition.REELECTED else ()
    return tuple(dict.fromkeys(i.model_id for i in placed)) or already


def _fell_during(watch: ClusterWatch, after: ClusterSnapshot) -> Mapping[str, RunnerPhase]:
    """For each failed runner, the phase it was last seen in before it failed."""
    before = watch.snapshot.instances if watch.snapshot else ()
    phases = {s.runner.id: s.runner.phase for i in before for s in i.shards}
    failed = [
        s.runner.id
        for i in after.instances
        for s in i.shards
        if s.runner.phase is RunnerPhase.FAILED
    ]
    known = {**phases, **watch.fell_during}
    return {
        r: known[r] for r in failed if known.get(r, RunnerPhase.FAILED) is not RunnerPhase.FAILED
    }


def _learning(before: Learning, snapshot: ClusterSnapshot, now: datetime) -> Learning:
    """Downloads that go on: reported now, or a moment ago and not ended since."""
    seen = {(d.node_id, d.model_id): d for d in snapshot.downloads}
    here = {node.id for node in snapshot.nodes}
    ended = (DownloadPhase.COMPLETED, DownloadPhase.FAILED)
    kept = {
        key: (at, download)
        for key, (at, download) in before.items()
        if now - at <= DOWNLOAD_PAUSE
        and key[0] in here
        and (key not in seen or seen[key].phase not in ended)
    }
    going = {
        k: (now, d) for k, d in seen.items() if d.phase is DownloadPhase.ONGOING and k[0] in here
    }
    return {**kept, **going}
