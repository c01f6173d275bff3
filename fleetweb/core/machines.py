"""Which machine each of exo's nodes is: ids change when exo starts, names and addresses stay."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType

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
    seen: Iterable[tuple[str, ClusterSnapshot]],
    fleet: Sequence[FleetNode],
    before: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Machine, ...]:
    """Every machine in the clusters `seen` (name, snapshot), each once and with a name of its own.

    A machine whose exo was restarted is in the topology twice for half a minute: the newer one
    is it. Two machines that share a friendly name stay two, told apart by a number, which each
    keeps: `before` are the names by exo id of the moment before. Nodes that have not said their
    name yet are left out until they do.
    """
    claims: dict[str, list[Machine]] = {}
    for cluster, snapshot in seen:
        for node in snapshot.nodes:
            entry = match(node, fleet)
            name = entry.name if entry else node.name
            if name:
                claims.setdefault(name, []).append(Machine(name, cluster, node, entry))
    taken = {*claims, *(entry.name for entry in fleet)}
    return tuple(m for rivals in claims.values() for m in _settle(rivals, before, taken))


def _settle(rivals: list[Machine], before: Mapping[str, str], taken: set[str]) -> Iterator[Machine]:
    """The different machines among those that claim one name, each with its own."""
    kept: list[Machine] = []
    for rival in sorted(rivals, key=_last_seen, reverse=True):
        if not any(_same(rival, machine) for machine in kept):
            kept.append(rival)
    common = kept[0].name
    held = {m.node.id: n for m in kept if (n := before.get(m.node.id)) and _fits(n, common, taken)}
    free = (n for n in _numbered(common) if n not in held.values() and _fits(n, common, taken))
    for machine in sorted(kept, key=lambda m: (m.cluster, sorted(m.node.addresses), m.node.id)):
        name = held.get(machine.node.id) or next(free)
        yield replace(machine, name=name, entry=machine.entry if name == common else None)


def _fits(name: str, common: str, taken: set[str]) -> bool:
    """Whether `name` is the `common` name, or that with a number that makes it nobody else's."""
    head, _, number = name.rpartition("-")
    return name == common or (head == common and number.isdecimal() and name not in taken)


def _numbered(common: str) -> Iterator[str]:
    yield common
    yield from (f"{common}-{number}" for number in count(2))


def _same(one: Machine, other: Machine) -> bool:
    if one.node.id == other.node.id:
        return True
    if one.cluster != other.cluster:
        return False
    ours, theirs = set(one.node.addresses), set(other.node.addresses)
    return not ours or not theirs or bool(ours & theirs)


def _last_seen(machine: Machine) -> datetime:
    return machine.node.last_seen_at or _LONG_AGO
