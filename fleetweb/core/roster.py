"""Who belongs to the fleet: the owner's list, and how a machine finds its entry in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from .snapshot import ExoNode


class Role(StrEnum):
    """The owner's words: exo does not say who is master. `worker` is a machine nobody listed."""

    KING = "king"
    SOLDIER = "soldier"
    DRUMMER = "drummer"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class FleetNode:
    """One machine as its owner describes it."""

    name: str
    role: Role
    host: str
    memory_gb: int
    cpu_cores: int = 0
    gpu_cores: int = 0
    exo_id: str | None = None


def _soldier(number: int) -> FleetNode:
    return FleetNode(f"soldier{number}", Role.SOLDIER, f"soldier{number}.local", 256, 28, 60)


SOVEREIGN_FLEET: tuple[FleetNode, ...] = (
    FleetNode("king", Role.KING, "king.local", 512, 32, 80),
    _soldier(1),
    _soldier(2),
    _soldier(3),
)


@dataclass(frozen=True, slots=True)
class FleetTotals:
    memory_gb: int
    cpu_cores: int
    gpu_cores: int


def totals(fleet: Iterable[FleetNode]) -> FleetTotals:
    """What the configured machines amount to. SOVEREIGN_FLEET: 1280 GB, 116 CPU, 260 GPU cores."""
    machines = tuple(fleet)
    return FleetTotals(
        memory_gb=sum(m.memory_gb for m in machines),
        cpu_cores=sum(m.cpu_cores for m in machines),
        gpu_cores=sum(m.gpu_cores for m in machines),
    )


def match(node: ExoNode, fleet: Iterable[FleetNode]) -> FleetNode | None:
    """The entry that describes `node`: by exo id, then friendly name, then host or address."""
    machines = tuple(fleet)
    keys = (_by_id, _by_name, _by_address)
    return next((m for key in keys for m in machines if key(node, m)), None)


def _by_id(node: ExoNode, machine: FleetNode) -> bool:
    return machine.exo_id is not None and machine.exo_id == node.id


def _by_name(node: ExoNode, machine: FleetNode) -> bool:
    return bool(node.name) and _bare(node.name) in (_bare(machine.name), _bare(machine.host))


def _by_address(node: ExoNode, machine: FleetNode) -> bool:
    hosts = {_bare(urlsplit(address).hostname or "") for address in node.addresses}
    return bool(machine.host) and _bare(machine.host) in hosts


def _bare(host: str) -> str:
    """A host name without case and without mDNS's `.local`."""
    return host.casefold().strip().removesuffix(".local")
