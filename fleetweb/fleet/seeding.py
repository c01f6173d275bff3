"""An invented past of the machines, to develop and measure with."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from fleetweb.core.presence import CognitiveState
from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role

from .models import Node, NodeSample, PresenceSpan
from .sample_rollups import Bucket, Figures, save, sums_of

COARSE: Final = timedelta(minutes=10)
SPANS_A_DAY: Final = 60
GIB: Final = 2**30
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
    """So many machines: those of the reference fleet, then more soldiers. Made where missing."""
    listed = list(SOVEREIGN_FLEET[:count])
    for number in range(len(listed), count):
        name = f"soldier{number}"
        listed.append(FleetNode(name, Role.SOLDIER, f"{name}.local", 256, 28, 60))
    for entry in listed:
        Node.objects.get_or_create(
            name=entry.name,
            defaults={"role": entry.role, "host": entry.host, "memory_gb": entry.memory_gb},
        )
    return list(Node.objects.filter(name__in=[entry.name for entry in listed]).order_by("pk"))


def seed(nodes: Sequence[Node], since: datetime, until: datetime, number: int) -> None:
    """What they did from `since` to `until`, and their figures added up."""
    draw = random.Random(number)  # noqa: S311
    for node in nodes:
        spans = list(_spans(node, since, until, draw))
        with transaction.atomic():
            PresenceSpan.objects.bulk_create(spans, batch_size=500)
            _add_up(spans, draw)


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


def _add_up(spans: Sequence[PresenceSpan], draw: random.Random) -> None:
    """A sample every ten minutes, kept by minute, hour and day."""
    zone = timezone.get_default_timezone()
    sums: dict[Bucket, Figures] = {}
    for span in spans:
        if span.state != CognitiveState.OFFLINE and span.ended_at:
            samples = list(_samples(span, span.ended_at, draw))
            for bucket, figures in sums_of(samples, zone).items():
                sums.setdefault(bucket, Figures()).add_figures(figures)
    save(sums)


def _samples(span: PresenceSpan, ended_at: datetime, draw: random.Random) -> Iterator[NodeSample]:
    at = span.started_at
    while at < ended_at:
        yield NodeSample(
            node=span.node,
            at=at,
            state=span.state,
            intensity=span.intensity,
            requests_in_hand=int(span.intensity > 0.1),
            memory_total_bytes=(span.node.memory_gb or 0) * GIB,
            memory_used_bytes=int((span.node.memory_gb or 0) * GIB * draw.uniform(0.55, 0.65)),
            gpu_usage=span.intensity,
            cpu_usage=span.intensity / 4,
            temperature_c=38 + 40 * span.intensity,
            power_w=22 + 240 * span.intensity,
        )
        at += COARSE


def _intensity(state: CognitiveState, draw: random.Random) -> float:
    busy = state in (CognitiveState.PROCESSING, CognitiveState.READING)
    return round(draw.uniform(0.4, 0.95) if busy else draw.uniform(0.0, 0.05), 3)
