"""A past to look back at: machines that answer, and one that was slow, with its reason."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from fleetweb.core.presence import CognitiveState
from fleetweb.fleet import sample_rollups
from fleetweb.fleet.models import Node, NodeSample, PresenceSpan
from fleetweb.gateway import rollups
from fleetweb.gateway.models import RequestMetric

LLAMA = "mlx-community/Llama-3.3-70B-Instruct-4bit"
SMALL = "mlx-community/Llama-3.2-8B-Instruct-4bit"
MACHINES = ("king", "soldier1", "soldier2", "soldier3")
GIB = 2**30

_numbers = count(1)

S = CognitiveState


def machine(name: str, **facts: object) -> Node:
    node, _ = Node.objects.get_or_create(
        name=name,
        defaults={
            "role": "king" if name == "king" else "soldier",
            "memory_gb": 256,
            "first_seen_at": datetime(2026, 1, 1, tzinfo=UTC),
            **facts,
        },
    )
    return node


def asked(node: str, at: datetime, ttft_ms: float = 400.0, **more: object) -> RequestMetric:
    """A request that was asked at the door of `node` and has ended."""
    facts: dict[str, object] = {
        "id": f"req_{next(_numbers):08}",
        "asked_at": at,
        "ended_at": at + timedelta(milliseconds=ttft_ms * 5),
        "status": "ok",
        "process": "test",
        "caller": "owner",
        "model_asked": LLAMA,
        "model": LLAMA,
        "provider": "exo",
        "node": node,
        "nodes": [node],
        "ttft_ms": ttft_ms,
        "latency_ms": ttft_ms * 5,
        "tokens_per_s": 20.0 * 400 / ttft_ms,
    }
    return RequestMetric(**{**facts, **more})


def remember(metrics: list[RequestMetric]) -> None:
    RequestMetric.objects.bulk_create(metrics)
    while rollups.catch_up():
        pass


def sampled(node: Node, at: datetime, state: CognitiveState, **figures: object) -> NodeSample:
    known: dict[str, object] = {
        "intensity": 0.6 if state is S.PROCESSING else 0.05,
        "memory_total_bytes": 256 * GIB,
        "memory_used_bytes": 140 * GIB,
        "gpu_usage": 0.9 if state is S.PROCESSING else 0.02,
        "temperature_c": 62.0,
        "power_w": 180.0,
    }
    return NodeSample(node=node, at=at, state=state.value, **{**known, **figures})


def saw(samples: list[NodeSample]) -> None:
    NodeSample.objects.bulk_create(samples)
    sample_rollups.add(samples)


def was(node: Node, state: CognitiveState, since: datetime, until: datetime | None) -> PresenceSpan:
    return PresenceSpan.objects.create(
        node=node,
        state=state.value,
        started_at=since,
        ended_at=until,
        sentence=f"{node.name} was {state.value}.",
    )


def a_slow_hour(now: datetime, hours: int = 6, every_s: int = 60) -> tuple[datetime, datetime]:
    """Four machines answer with one model; soldier2 is slow for an hour, hot, and once quiet.

    Returns when that hour was.
    """
    draw = random.Random(7)
    ends = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    begins = ends - timedelta(hours=1)
    quiet = (begins + timedelta(minutes=20), begins + timedelta(minutes=24))
    metrics: list[RequestMetric] = []
    for name in MACHINES:
        node = machine(name)
        samples = []
        for at in moments(now - timedelta(hours=hours), now, every_s):
            is_slow = name == "soldier2" and begins <= at < ends
            is_quiet = name == "soldier2" and quiet[0] <= at < quiet[1]
            state = S.QUIET if is_quiet else draw.choice((S.IDLE, S.PROCESSING))
            hot = {"temperature_c": 92.0} if is_slow else {}
            samples.append(sampled(node, at, state, **hot))
            if not is_quiet and draw.random() < 0.5:
                usual = draw.uniform(300, 500)
                metrics.append(asked(name, at, usual * 3.1 if is_slow else usual))
        saw(samples)
        spans_of(node, samples)
    remember(metrics)
    return begins, ends


def moments(since: datetime, until: datetime, every_s: int) -> Iterator[datetime]:
    at = since
    while at < until:
        yield at
        at += timedelta(seconds=every_s)


def spans_of(node: Node, samples: list[NodeSample]) -> None:
    """Presence that agrees with what was sampled."""
    changes = [s for before, s in zip([None, *samples], samples, strict=False)
               if before is None or before.state != s.state]  # fmt: skip
    ends = [*(change.at for change in changes[1:]), None]
    PresenceSpan.objects.bulk_create(
        PresenceSpan(node=node, state=c.state, started_at=c.at, ended_at=end, sentence="")
        for c, end in zip(changes, ends, strict=True)
    )
