"""The one machine that a page is about: what it is, and how it is now."""

from dataclasses import dataclass
from datetime import datetime

from fleetweb.core.discretion import discreet
from fleetweb.core.presence import FleetPresence
from fleetweb.fleet.models import Node

from ..looks import LOOKS, Look
from ..moments import Moment, moment


@dataclass(frozen=True, slots=True)
class FactsCard:
    """`look` and `sentence` are None where nobody is watching it now."""

    name: str
    role: str
    look: Look | None
    sentence: str | None
    facts: tuple[tuple[str, str], ...]
    first_seen: Moment | None
    last_seen: Moment | None


def machine_facts(node: Node, presence: FleetPresence | None, now: datetime) -> FactsCard:
    seen = discreet(presence).node(node.name) if presence else None
    memory = f"{node.memory_gb:,} GB" if node.memory_gb else ""
    facts = {
        "Machine": node.hardware,
        "Chip": node.chip,
        "Memory": memory,
        "System": node.os_version,
        "Host": node.host,
        "Cluster": node.cluster,
    }
    return FactsCard(
        name=node.name,
        role=node.role if not node.name.casefold().startswith(node.role) else "",
        look=LOOKS[seen.load.state] if seen else None,
        sentence=seen.load.sentence if seen else None,
        facts=tuple((label, value) for label, value in facts.items() if value),
        first_seen=moment(node.first_seen_at, now) if node.first_seen_at else None,
        last_seen=moment(node.last_seen_at, now) if node.last_seen_at else None,
    )
