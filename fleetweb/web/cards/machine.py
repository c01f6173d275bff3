"""One machine as the room shows it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2s

from fleetweb.core.presence import CognitiveState, NodePresence
from fleetweb.core.roster import Role

from . import evidence, figures
from .holdings import HoldingCard, holding
from .looks import LOOKS, NEVER_SEEN, Look
from .moments import Moment, moment
from .trail import TrailCard, trail

# Younger news than this is no news: exo hears from a healthy machine about once a second.
HEARD_LATELY = timedelta(seconds=evidence.JUST_NOW_S)
# A machine has room for two models; how many more there are is one line as well.
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class VitalCard:
    """One figure. `share` is 0..100 for a bar beside it, None where there is no bar to draw."""

    label: str
    value: str
    known: bool
    share: str | None = None


@dataclass(frozen=True, slots=True)
class MachineCard:
    """`id` is the root of its fragment. `arc` is 0..100 of a ring, None where nothing tells."""

    id: str
    name: str
    role: str
    state: CognitiveState
    look: Look
    intensity: str
    sentence: str
    since: Moment
    central: bool
    arc: str | None
    heard: Moment | None
    hardware: str
    vitals: tuple[VitalCard, ...]
    evidence: tuple[evidence.EvidenceRow, ...]
    holdings: tuple[HoldingCard, ...]
    trail: TrailCard

    @property
    def was_here(self) -> bool:
        """Whether it has been here at all: "not here yet" has lasted for no time."""
        return self.look is not NEVER_SEEN

    @property
    def shown(self) -> tuple[HoldingCard, ...]:
        """The models named on the machine itself; all of them stand with the evidence."""
        if len(self.holdings) <= _SHOWN:
            return self.holdings
        return (next((h for h in self.holdings if h.at_work), self.holdings[0]),)

    @property
    def more(self) -> str:
        left = len(self.holdings) - len(self.shown)
        return figures.plural(left, "other model") if left else ""


def machine(node: NodePresence, now: datetime, *, central: bool) -> MachineCard:
    return MachineCard(
        id=node_id(node.name),
        name=node.name,
        role=_role(node),
        state=node.load.state,
        look=_look(node),
        intensity=f"{min(1.0, max(0.0, node.load.intensity)):.2f}",
        sentence=node.load.sentence,
        since=moment(node.since, now),
        central=central,
        arc=_arc(node.load.estimated_completion_pct),
        heard=_heard(node, now),
        hardware=_hardware(node),
        vitals=vitals(node),
        evidence=tuple(evidence.row(fact) for fact in node.load.evidence),
        holdings=tuple(holding(share) for share in node.shares),
        trail=trail(node.trail),
    )


def node_id(name: str) -> str:
    """An id for `name`: `node-king`; names that are not plain get a short hash as well."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    if slug == name:
        return f"node-{slug}"
    mark = blake2s(name.encode(), digest_size=4).hexdigest()
    return f"node-{slug}-{mark}" if slug else f"node-{mark}"


def _look(node: NodePresence) -> Look:
    never_seen = node.load.state is CognitiveState.OFFLINE and node.last_heard_at is None
    return NEVER_SEEN if never_seen else LOOKS[node.load.state]


def _role(node: NodePresence) -> str:
    """The owner's word for it, unless the name says it already."""
    if node.role is Role.WORKER or node.name.casefold().startswith(node.role.value):
        return ""
    return node.role.value


def _arc(percent: float | None) -> str | None:
    return None if percent is None else figures.svg(min(100.0, max(0.0, percent)))


def _heard(node: NodePresence, now: datetime) -> Moment | None:
    """When a machine was last heard, if that is long enough ago to be worth saying."""
    if node.last_heard_at is None or now - node.last_heard_at <= HEARD_LATELY:
        return None
    return moment(node.last_heard_at, now)


def _hardware(node: NodePresence) -> str:
    chip = node.exo and (node.exo.chip or node.exo.hardware)
    known = chip if chip and chip != "Unknown" else None
    size = f"{node.memory_gb:,} GB" if node.memory_gb else None
    return " · ".join(part for part in (known, size) if part)


def vitals(node: NodePresence) -> tuple[VitalCard, ...]:
    exo = node.exo
    if exo is None:
        return ()
    memory = _memory(exo.memory_used_bytes, exo.memory_total_bytes)
    gpu = VitalCard(
        "GPU",
        figures.share(exo.gpu_usage),
        exo.gpu_usage is not None,
        _bar(exo.gpu_usage),
    )
    heat, power = exo.temperature_c, exo.power_w
    return (
        memory,
        gpu,
        VitalCard("Temperature", figures.degrees(heat), heat is not None),
        VitalCard("Power", figures.watts(power), power is not None),
    )


def _memory(used: int | None, total: int | None) -> VitalCard:
    if used is None or not total:
        return VitalCard("Memory", figures.UNKNOWN, known=False)
    value = f"{used / 2**30:,.0f} of {figures.gigabytes(total)}"
    return VitalCard("Memory", value, known=True, share=_bar(used / total))


def _bar(part: float | None) -> str | None:
    return None if part is None else figures.svg(round(100 * min(1.0, max(0.0, part))))
