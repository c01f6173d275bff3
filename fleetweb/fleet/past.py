"""The fleet as it was at a past moment, from what was written down of it.

Exact are states, since when, and the sentence that each began with. Figures are those of the last
sample. What was not written down is not there: layers of models, downloads, clusters' conditions.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db.models import OuterRef, Subquery

from fleetweb.core import words
from fleetweb.core.evidence import Evidence
from fleetweb.core.inference import RIBBON
from fleetweb.core.presence import (
    AT_WORK,
    CognitiveLoad,
    CognitiveState,
    FleetPresence,
    NodePresence,
    ShardShare,
    Span,
    Work,
)
from fleetweb.core.roster import Role
from fleetweb.core.snapshot import ExoNode, RunnerPhase
from fleetweb.core.streams import SENT, Answered, Stream
from fleetweb.core.voice import fleet_says

from .models import Node, NodeSample, PresenceSpan, PresenceSpanQuerySet
from .past_figures import Figures, figures_at, samples_of

NOBODY_WATCHED: Final = "Nobody was watching."
_ROLES: Final = (Role.KING, Role.SOLDIER, Role.DRUMMER, Role.WORKER)


@dataclass(frozen=True, slots=True)
class Gap:
    """While nobody watched. None is where nothing is known before, or after."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """`gap` is None where somebody watched; else the presence has no machines."""

    presence: FleetPresence
    gap: Gap | None = None


def fleet_at(
    at: datetime,
    *,
    work: Sequence[Work] = (),
    streams: Sequence[Stream] = (),
    answered: Sequence[Answered] = (),
) -> Past:
    """The fleet at `at`, texts in its zone, with the requests that others found to be in hand."""
    spans = _spans_before(at)
    current = {s.node_id: s.pk for s in spans if s.started_at <= at and _goes_on(s, at)}
    rows = PresenceSpan.objects.filter(pk__in=current.values()).select_related("node")
    lasting = sorted(rows, key=lambda span: (_ROLES.index(Role(span.node.role)), span.node_id))
    shares = _shares(work)
    samples = samples_of(current, at)
    nodes = tuple(
        _presence(span, figures_at(spans, span.node_id, samples[span.node_id], at), shares, at)
        for span in lasting
    )
    presence = FleetPresence(
        at=at,
        sentence=NOBODY_WATCHED,
        state=CognitiveState.OFFLINE,
        intensity=0.0,
        nodes=nodes,
        work=(*work, *_unrecorded(nodes, work, streams)),
        streams=tuple(streams),
        answered=tuple(answered),
        spans=tuple(_as_seen(spans, lasting, at)),
    )
    if not nodes:
        return Past(presence, _gap(spans, at))
    state, sentence = fleet_says(nodes, at)
    efforts = [node.load.intensity for node in nodes if node.exo]
    mean = round(sum(efforts) / len(efforts), 3) if efforts else 0.0
    return Past(replace(presence, state=state, sentence=sentence, intensity=mean))


def latest_at(at: datetime) -> PresenceSpanQuerySet:
    """Of every machine the span that began last, as of `at`; it may have ended since."""
    own = PresenceSpan.objects.filter(node=OuterRef("pk"), started_at__lte=at)
    newest = Node.objects.annotate(newest=Subquery(own.order_by("-started_at").values("pk")[:1]))
    return PresenceSpan.objects.filter(pk__in=newest.order_by().values("newest"))


def _spans_before(at: datetime) -> list[PresenceSpan]:
    """The last ten minutes of all machines, and what was going on when they began."""
    began = at - RIBBON
    inside = PresenceSpan.objects.filter(started_at__gt=began, started_at__lte=at)
    needed = ("node_id", "state", "started_at", "ended_at")
    spans = [*latest_at(began).only(*needed), *inside.only(*needed)]
    return sorted(spans, key=lambda span: span.started_at)


def _goes_on(span: PresenceSpan, at: datetime) -> bool:
    return span.ended_at is None or span.ended_at > at


def _gap(spans: Sequence[PresenceSpan], at: datetime) -> Gap:
    """Of a machine's spans only the last can tell since when nobody watches."""
    after = PresenceSpan.objects.filter(started_at__gt=at).order_by("started_at")
    return Gap(
        since=max((s.ended_at for s in spans if s.ended_at), default=None),
        until=after.values_list("started_at", flat=True).first(),
    )


def _as_seen(
    spans: Sequence[PresenceSpan], lasting: Sequence[PresenceSpan], at: datetime
) -> Iterator[Span]:
    """The ribbon's spans: what has ended after `at` went on then."""
    names = {span.node_id: span.node.name for span in lasting}
    for span in spans:
        if span.node_id in names and (span.ended_at is None or span.ended_at > at - RIBBON):
            ended_at = None if _goes_on(span, at) else span.ended_at
            state = CognitiveState(span.state)
            yield Span(names[span.node_id], state, span.started_at, ended_at)


def _presence(
    span: PresenceSpan,
    figures: Figures,
    shares: Mapping[str, tuple[ShardShare, ...]],
    at: datetime,
) -> NodePresence:
    node, state = span.node, CognitiveState(span.state)
    is_here = state is not CognitiveState.OFFLINE
    evidence = tuple(msgspec.convert(span.evidence, list[Evidence]))
    heard_at = _heard_at(span, evidence, at)
    effort = span.intensity if figures.sample is None else figures.sample.intensity
    return NodePresence(
        name=node.name,
        role=Role(node.role),
        load=CognitiveLoad(
            intensity=effort if is_here else 0.0,
            state=state,
            evidence=evidence,
            sentence=_sentence(span, heard_at, at),
        ),
        since=span.started_at,
        memory_gb=node.memory_gb,
        host=node.host or None,
        cluster=node.cluster or None,
        exo=_exo(node, figures.sample) if is_here else None,
        last_heard_at=heard_at,
        shares=shares.get(node.name, ()),
        trail=figures.trail,
    )


def _heard_at(span: PresenceSpan, evidence: Sequence[Evidence], at: datetime) -> datetime | None:
    """When exo last heard from the machine, as far as what its state rested on tells."""
    if span.state not in (CognitiveState.OFFLINE, CognitiveState.QUIET):
        return at
    facts = {fact.signal: fact.value for fact in evidence}
    silent_s = facts.get("last_heard_s")
    if isinstance(silent_s, int | float):
        return span.started_at - timedelta(seconds=silent_s)
    return None if facts.get("seen") is False else span.started_at


def _sentence(span: PresenceSpan, heard_at: datetime | None, at: datetime) -> str:
    """The sentence it began with; a silence has grown since, as far as `at`."""
    if span.state != CognitiveState.QUIET or heard_at is None:
        return span.sentence
    began, by_now = (
        words.duration((moment - heard_at).total_seconds()) for moment in (span.started_at, at)
    )
    return span.sentence.replace(f" {began} ago", f" {by_now} ago", 1)


def _exo(node: Node, sample: NodeSample | None) -> ExoNode:
    """The machine as exo reported it, with what was sampled of it; None is unknown here too."""
    known = ExoNode(
        id=node.exo_id or node.name,
        name=node.name,
        hardware=node.hardware or None,
        chip=node.chip or None,
        os_version=node.os_version or None,
    )
    if sample is None:
        return known
    total, used = sample.memory_total_bytes, sample.memory_used_bytes
    return replace(
        known,
        memory_total_bytes=total,
        memory_available_bytes=None if total is None or used is None else total - used,
        gpu_usage=sample.gpu_usage,
        cpu_usage=sample.cpu_usage,
        temperature_c=sample.temperature_c,
        power_w=sample.power_w,
    )


def _unrecorded(
    nodes: Sequence[NodePresence], work: Sequence[Work], streams: Sequence[Stream]
) -> Iterator[Work]:
    """Requests that reached exo past the gateway: known only by the machines that worked on them.

    Machines that began in one beat and say the same are at the same request. While it is not known
    which machines answer a stream, nothing is said of any.
    """
    if sum(stream.stage in SENT for stream in streams) > len(work):
        return
    told = {name for item in work for name in item.nodes}
    found: dict[tuple[datetime, str], list[NodePresence]] = defaultdict(list)
    for node in nodes:
        if node.load.state in AT_WORK and node.name not in told:
            found[node.since, node.load.sentence].append(node)
    for (since, _), together in found.items():
        first = together[0]
        yield Work(
            id=f"{first.name} since {since.isoformat()}",
            cluster=first.cluster or "",
            instance_id="",
            nodes=tuple(node.name for node in together),
            started_at=since,
        )


def _shares(work: Iterable[Work]) -> Mapping[str, tuple[ShardShare, ...]]:
    """What machines held, where a request that they worked on tells. Which layers, nobody knows."""
    found: dict[str, dict[str, ShardShare]] = defaultdict(dict)
    for item in work:
        for name in item.nodes:
            found[name][item.instance_id] = ShardShare(
                instance_id=item.instance_id,
                model_id=item.model_id or "",
                phase=RunnerPhase.RUNNING,
                at_work=True,
                companions=tuple(other for other in item.nodes if other != name),
            )
    return {name: tuple(held.values()) for name, held in found.items()}
