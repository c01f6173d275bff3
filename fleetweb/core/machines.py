"""Which machine each of exo's nodes is: ids change when exo starts, names and addresses stay."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .roster import FleetNode, Role, match
from .snapshot import ClusterSnapshot, ExoNode

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Machine:
    """One of exo's nodes under the name its owner knows. `entry` is None for one nobody listed."""

    name: str
    cluster: str
    node: ExoNode
    entry: FleetNode | None = None

    @property
    def role(self) -> Role:
        return self.entry.role if self.entry else Role.WORKER


def identify(
    seen: Iterable[tuple[str, ClusterSnapshot]], fleet: Sequence[FleetNode]
) -> tuple[Machine, ...]:
    """Every machine in the clusters `seen` (name, snapshot), each once and with a name of its own.

    A machine whose exo was restarted is in the topology twice for half a minute: the newer one
    is it. Two machines that share a friendly name stay two, told apart by a number. Nodes that
    have not said their name yet are left out until they do.
    """
    claims: dict[str, list[Machine]] = {}
    for cluster, snapshot in seen:
        for node in snapshot.nodes:
            entry = match(node, fleet)
            name = entry.name if entry else node.name
            if name:
                claims.setdefault(name, []).append(Machine(name, cluster, node, entry))
    return tuple(m for rivals in claims.values() for m in _settle(rivals))


def _settle(rivals: list[Machine]) -> Iterator[Machine]:
    """The different machines among those that claim one name."""
    kept: list[Machine] = []
    for rival in sorted(rivals, key=_last_seen, reverse=True):
        if not any(_same(rival, machine) for machine in kept):
            kept.append(rival)
    listed_first = sorted(kept, key=lambda m: (m.entry is None, m.cluster, m.node.addresses))
    for number, machine in enumerate(listed_first, start=1):
        yield machine if number == 1 else _numbered(machine, number)


def _numbered(machine: Machine, number: int) -> Machine:
    return Machine(f"{machine.name}-{number}", machine.cluster, machine.node)


def _same(one: Machine, other: Machine) -> bool:
    if one.cluster != other.cluster:
        return False
    ours, theirs = set(one.node.addresses), set(other.node.addresses)
    return not ours or not theirs or bool(ours & theirs)


def _last_seen(machine: Machine) -> datetime:
    return machine.node.last_seen_at or _LONG_AGO
