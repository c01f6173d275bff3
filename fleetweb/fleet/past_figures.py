"""The figures of machines at a past moment: the last sample, and the effort of the last minute."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fleetweb.core.inference import TRAIL_SECONDS
from fleetweb.core.presence import CognitiveState

from .models import NodeSample, PresenceSpan

# Samples come every ten seconds; older ones may have been thinned to one a minute.
SAMPLE_LASTS: Final = timedelta(seconds=65)
TRAIL_LASTS_S: Final = 12


def samples_of(nodes: Iterable[int], at: datetime) -> Mapping[int, list[NodeSample]]:
    """By machine what was sampled in the last minute, oldest first."""
    found: dict[int, list[NodeSample]] = defaultdict(list)
    inside = NodeSample.objects.filter(node_id__in=list(nodes))
    for sample in inside.filter(at__gt=at - SAMPLE_LASTS, at__lte=at).order_by("at"):
        found[sample.node_id].append(sample)
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """The newest sample that still says something, and the effort of the last minute."""

    sample: NodeSample | None
    trail: tuple[float | None, ...]


def figures_at(
    spans: Sequence[PresenceSpan], node_id: int, samples: Sequence[NodeSample], at: datetime
) -> Figures:
    """Samples from before a machine was last away are of no use; while it is, it has none."""
    away = [
        (span.started_at, span.ended_at or at)
        for span in spans
        if span.node_id == node_id and span.state == CognitiveState.OFFLINE
    ]
    back_at = max((end for _, end in away if end <= at), default=None)
    recent = [sample for sample in samples if back_at is None or sample.at >= back_at]
    return Figures(recent[-1] if recent else None, _trail(samples, away, at))


def _trail(
    samples: Sequence[NodeSample], away: Sequence[tuple[datetime, datetime]], at: datetime
) -> tuple[float | None, ...]:
    """A value a second, as the last sample before it had it; None where that is too long ago."""
    known: dict[int, float] = {}
    for sample in samples:
        first = TRAIL_SECONDS - 1 - int((at - sample.at).total_seconds())
        for second in range(first, first + TRAIL_LASTS_S):
            known[second] = sample.intensity
    moments = ((s, at - timedelta(seconds=TRAIL_SECONDS - 1 - s)) for s in range(TRAIL_SECONDS))
    return tuple(
        None if any(began <= moment < ended for began, ended in away) else known.get(second)
        for second, moment in moments
    )
