"""An invented past of the machines, to develop and measure with."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from fleetweb.core.presence import CognitiveState
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role

from . import seeded_figures
from .absences import Absence
from .models import Happened, Node, PresenceSpan
from .seeded_figures import SAMPLED_FOR, Rows
from .seeded_marks import VERSIONS, marks

SPANS_A_DAY: Final = 60
TWO_CLUSTERS_FROM: Final = 8
CLUSTERS: Final = ("fleet", "attic")
_LIFE: Final = (
    (CognitiveState.IDLE, 0.5),
    (CognitiveState.PROCESSING, 0.3),
    (CognitiveState.READING, 0.15),
    (CognitiveState.WAKING, 0.03),
    (CognitiveState.QUIET, 0.01),
    (CognitiveState.OFFLINE, 0.007),
    (CognitiveState.STUMBLED, 0.003),
)
_SENTENCES: Final = {
    CognitiveState.IDLE: "Present and waiting.",
    CognitiveState.PROCESSING: "Processing a request.",
    CognitiveState.READING: "Reading a prompt.",
    CognitiveState.WAKING: "Waking up Llama-3.3-70B: 12 of 80 layers.",
    CognitiveState.QUIET: "Gone quiet 12 s ago. exo still counts it in.",
    CognitiveState.OFFLINE: "Offline.",
    CognitiveState.STUMBLED: "Stumbled loading Qwen3-235B: out of memory.",
}


def machines(count: int) -> list[Node]:
    """So many machines: those of the reference fleet, then more soldiers. Made where missing.

    From eight on they are two clusters.
    """
    listed = list(SOVEREIGN_FLEET[:count])
    for number in range(len(listed), count):
        name = f"soldier{number}"
        listed.append(FleetNode(name, Role.SOLDIER, f"{name}.local", 256, 28, 60))
    near = count if count < TWO_CLUSTERS_FROM else (count + 1) // 2
    for number, entry in enumerate(listed):
        facts = {"role": entry.role, "host": entry.host, "memory_gb": entry.memory_gb}
        cluster = CLUSTERS[number >= near]
        Node.objects.get_or_create(name=entry.name, defaults={**facts, "cluster": cluster})
    return list(Node.objects.filter(name__in=[entry.name for entry in listed]).order_by("pk"))


def clusters_of(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """The names of the machines of each cluster."""
    clusters: dict[str, list[str]] = {}
    for node in nodes:
        clusters.setdefault(node.cluster or CLUSTERS[0], []).append(node.name)
    return clusters


def seed(
    nodes: Sequence[Node], since: datetime, until: datetime, number: int, samples: Rows
) -> list[Absence]:
    """What they did from `since` to `until`, and their figures added up; when they were away.

    `samples` takes those that are kept.
    """
    draw = random.Random(number)  # noqa: S311
    absences: list[Absence] = []
    for node in nodes:
        spans = list(_spans(node, since, until, draw))
        with transaction.atomic():
            PresenceSpan.objects.bulk_create(spans, batch_size=500)
            seeded_figures.invent(spans, max(since, until - SAMPLED_FOR), draw, samples)
            _see(node, spans)
        absences += _absences(spans)
    Happened.objects.note(marks(absences, since, until, draw))
    return absences


def _see(node: Node, spans: Iterable[PresenceSpan]) -> None:
    """When it was first and last heard from. What is known of a real machine stays."""
    here = [span for span in spans if span.state != CognitiveState.OFFLINE]
    if not here:
        return
    first_at, last_at = here[0].started_at, here[-1].ended_at or here[-1].started_at
    node.first_seen_at = min(node.first_seen_at or first_at, first_at)
    node.last_seen_at = max(node.last_seen_at or last_at, last_at)
    node.os_version = node.os_version or VERSIONS[-1]
    node.save(update_fields=["first_seen_at", "last_seen_at", "os_version"])


def _absences(spans: Iterable[PresenceSpan]) -> Iterator[Absence]:
    for span in spans:
        if span.state == CognitiveState.OFFLINE and span.ended_at:
            began_s, ended_s = span.started_at.timestamp(), span.ended_at.timestamp()
            yield Absence(span.node.name, began_s, ended_s)


def _spans(
    node: Node, since: datetime, until: datetime, draw: random.Random
) -> Iterator[PresenceSpan]:
    states, weights = zip(*_LIFE, strict=True)
    at, before = since, None
    while at < until:
        state = draw.choices(states, weights)[0]
        if state is not before:
            ends = min(until, at + timedelta(days=draw.expovariate(SPANS_A_DAY) + 1e-4))
            yield PresenceSpan(
                node=node,
                state=state.value,
                started_at=at,
                ended_at=ends,
                sentence=_SENTENCES[state],
                intensity=_intensity(state, draw),
            )
            at, before = ends, state


def _intensity(state: CognitiveState, draw: random.Random) -> float:
    busy = state in (CognitiveState.PROCESSING, CognitiveState.READING)
    return round(draw.uniform(0.4, 0.95) if busy else draw.uniform(0.0, 0.05), 3)
