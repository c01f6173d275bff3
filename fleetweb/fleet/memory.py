"""Writing presence down: spans as they change, figures every ten seconds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db import transaction

from fleetweb.core import happenings
from fleetweb.core.discretion import discreet_load
from fleetweb.core.inference import RIBBON
from fleetweb.core.presence import CognitiveLoad, CognitiveState, FleetPresence, NodePresence, Span
from fleetweb.core.roster import FleetNode, Role

from . import sample_rollups
from .models import Happened, Node, NodeSample, PresenceSpan

SAMPLE_EVERY: Final = timedelta(seconds=10)
# A machine nobody listed is expected back for so long.
WORKERS_KEPT_FOR: Final = timedelta(days=7)
SENTENCE_CHARS: Final = 300


class Memory:
    """What this process has written, so that it writes only what is new. Use it from one thread."""

    def __init__(self) -> None:
        self._rows: dict[str, Node] = {}
        # Of the spans that go on; None while it is not known what the database holds.
        self._states: dict[str, CognitiveState] | None = None
        self._sampled_at: datetime | None = None
        self._before: FleetPresence | None = None

    def recall(
        self, fleet: Iterable[FleetNode], last_beat: datetime, now: datetime
    ) -> FleetPresence:
        """The fleet as it was left: everything away, and what it did in the last ten minutes.

        Spans that still go on were cut off; they end with the last beat before now, because
        nobody knows what came after it.
        """
        PresenceSpan.objects.end(min(last_beat, now))
        self._look_up()
        listed = {entry.name: entry for entry in fleet}
        spans = PresenceSpan.objects.since(now - RIBBON).select_related("node")
        return FleetPresence(
            at=now,
            sentence="",
            state=CognitiveState.OFFLINE,
            intensity=0.0,
            nodes=tuple(
                _recalled(node, listed, now)
                for node in self._rows.values()
                if node.name in listed or _is_expected(node, now)
            ),
            spans=tuple(
                Span(s.node.name, CognitiveState(s.state), s.started_at, s.ended_at) for s in spans
            ),
        )

    def remember(self, presence: FleetPresence) -> None:
        """Write down what changed since the last time."""
        states = self._look_up() if self._states is None else self._states
        now_in = {node.name: node.load.state for node in presence.nodes}
        due = self._sampled_at is None or presence.at - self._sampled_at >= SAMPLE_EVERY
        changed = [n for n in presence.nodes if states.get(n.name) is not n.load.state]
        gone = states.keys() - now_in.keys()
        happened = happenings.between(self._before, presence) if self._before else ()
        if not (due or changed or gone or happened):
            self._before = presence
            return
        with transaction.atomic():
            Happened.objects.note(happened)
            for node in presence.nodes if due else changed:
                self._keep(node, presence.at)
            self._turn(changed, gone, presence.at)
            if due:
                self._sample(presence)
        self._states, self._before = now_in, presence
        self._sampled_at = presence.at if due else self._sampled_at

    def forget(self) -> None:
        """After the database failed: trust nothing that was thought to be in it."""
        self._rows, self._states = {}, None

    def _look_up(self) -> dict[str, CognitiveState]:
        """What the database holds: the machines, and what goes on."""
        self._rows = {node.name: node for node in Node.objects.all()}
        going_on = PresenceSpan.objects.going_on().values_list("node__name", "state")
        self._states = {name: CognitiveState(state) for name, state in going_on}
        return self._states

    def close(self, now: datetime) -> None:
        """Nobody watches from now on."""
        PresenceSpan.objects.end(now)
        self._states = {}

    def _keep(self, node: NodePresence, now: datetime) -> None:
        """The machine's own row, made or brought up to date."""
        row = self._rows.get(node.name)
        facts = _facts(node)
        if row is None:
            first = node.last_heard_at or (now if node.exo else None)
            row, _ = Node.objects.update_or_create(
                name=node.name, defaults=facts, create_defaults={**facts, "first_seen_at": first}
            )
            self._rows[node.name] = row
            return
        if row.first_seen_at is None and node.exo:
            facts["first_seen_at"] = now
        new = {key: value for key, value in facts.items() if getattr(row, key) != value}
        if new:
            Happened.objects.note(_changes(row, new, now))
            for key, value in new.items():
                setattr(row, key, value)
            row.save(update_fields=list(new))

    def _turn(self, nodes: Sequence[NodePresence], gone: Iterable[str], now: datetime) -> None:
        """End the spans of `nodes` and of those `gone`; begin those of what `nodes` do now."""
        turned = [*(node.name for node in nodes), *gone]
        if turned:
            PresenceSpan.objects.filter(node__name__in=turned).end(now)
            PresenceSpan.objects.bulk_create(
                _span(self._rows[node.name], node.load, now) for node in nodes
            )

    def _sample(self, presence: FleetPresence) -> None:
        samples = NodeSample.objects.bulk_create(
            _figures(self._rows[node.name], node, presence)
            for node in presence.nodes
            if node.exo is not None
        )
        sample_rollups.add(samples)


def still_expected(
    presence: FleetPresence, fleet: Iterable[FleetNode], now: datetime
) -> FleetPresence:
    """`presence` without machines nobody listed that have been away for seven days."""
    listed = {entry.name for entry in fleet}
    kept = tuple(
        node
        for node in presence.nodes
        if node.exo
        or node.name in listed
        or now - (node.last_heard_at or node.since) <= WORKERS_KEPT_FOR
    )
    return presence if len(kept) == len(presence.nodes) else replace(presence, nodes=kept)


def _is_expected(node: Node, now: datetime) -> bool:
    return node.last_seen_at is not None and now - node.last_seen_at <= WORKERS_KEPT_FOR


def _recalled(node: Node, listed: Mapping[str, FleetNode], now: datetime) -> NodePresence:
    entry = listed.get(node.name)
    return NodePresence(
        name=node.name,
        role=entry.role if entry else Role.WORKER,
        load=CognitiveLoad(0.0, CognitiveState.OFFLINE),
        since=now,
        memory_gb=node.memory_gb,
        host=entry.host if entry else node.host or None,
        cluster=node.cluster or None,
        exo_id=node.exo_id or None,
        last_heard_at=node.last_seen_at,
    )


def _changes(row: Node, new: Mapping[str, object], now: datetime) -> Iterator[happenings.Happening]:
    """What is worth a mark in what is new of a machine that was known."""
    if row.exo_id and "exo_id" in new:
        yield happenings.restarted(row.name, now)
    if row.os_version and "os_version" in new:
        version = str(new["os_version"])
        yield happenings.system_changed(row.name, row.os_version, version, now)


def _facts(node: NodePresence) -> dict[str, object]:
    """The columns of Node that this presence knows something about."""
    known: dict[str, object] = {
        "role": node.role.value,
        "host": node.host,
        "cluster": node.cluster,
        "exo_id": node.exo_id,
        "memory_gb": node.memory_gb,
        "last_seen_at": node.last_heard_at,
    }
    if node.exo is not None:
        known |= {
            "hardware": node.exo.hardware,
            "chip": node.exo.chip,
            "os_version": node.exo.os_version,
        }
    return {key: value for key, value in known.items() if value is not None}


def _span(row: Node, load: CognitiveLoad, now: datetime) -> PresenceSpan:
    kept = discreet_load(load)
    return PresenceSpan(
        node=row,
        state=kept.state.value,
        started_at=now,
        sentence=kept.sentence[:SENTENCE_CHARS],
        intensity=kept.intensity,
        evidence=msgspec.to_builtins(kept.evidence),
    )


def _figures(row: Node, node: NodePresence, presence: FleetPresence) -> NodeSample:
    assert node.exo is not None  # noqa: S101  only machines that are here have figures
    return NodeSample(
        node=row,
        at=presence.at,
        state=node.load.state.value,
        intensity=node.load.intensity,
        requests_in_hand=sum(node.name in work.nodes for work in presence.work),
        memory_total_bytes=node.exo.memory_total_bytes,
        memory_used_bytes=node.exo.memory_used_bytes,
        gpu_usage=node.exo.gpu_usage,
        cpu_usage=node.exo.cpu_usage,
        temperature_c=node.exo.temperature_c,
        power_w=node.exo.power_w,
    )
