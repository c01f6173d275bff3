"""The machines of a state: what each is, how it does, and at which addresses it can be asked.

Figures that cannot be true become None, never 0; a share above 1 counts as full.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from functools import lru_cache

from ..core.snapshot import ExoNode
from .exo_wire import (
    Identity,
    Memory,
    NodeDisk,
    NodeMemory,
    NodeNetwork,
    NodeSystem,
    State,
    Topology,
)

DEFAULT_PORT = 52415
MOST_BYTES = 2**60
MOST_NAME_CHARS = 80


def nodes_of(state: State) -> tuple[ExoNode, ...]:
    """Those in the topology only: `nodeIdentities` keeps the ghosts of earlier starts for ever."""
    if state.topology is None:
        return ()
    reached = _reached(state.topology)
    return tuple(_node(state, id_, reached) for id_ in dict.fromkeys(state.topology.nodes))


def _node(state: State, id_: str, reached: dict[str, tuple[str, ...]]) -> ExoNode:
    identity = (state.node_identities or {}).get(id_) or Identity()
    memory = (state.node_memory or {}).get(id_) or NodeMemory()
    disk = (state.node_disk or {}).get(id_) or NodeDisk()
    system = (state.node_system or {}).get(id_) or NodeSystem()
    seen_at = (state.last_seen or {}).get(id_)
    total = byte_count(memory.ram_total)
    return ExoNode(
        id=id_,
        name=gathered(identity.friendly_name) or "",
        last_seen_at=seen_at and seen_at.astimezone(UTC),
        addresses=_addresses(reached.get(id_, ()), (state.node_network or {}).get(id_)),
        hardware=gathered(identity.model_id),
        chip=gathered(identity.chip_id),
        os_version=gathered(identity.os_version),
        memory_total_bytes=total,
        memory_available_bytes=_at_most(byte_count(memory.ram_available), total),
        disk_total_bytes=byte_count(disk.total),
        disk_available_bytes=byte_count(disk.available),
        gpu_usage=_share(system.gpu_usage),
        cpu_usage=_share(system.pcpu_usage),
        temperature_c=between(system.temp, -50.0, 150.0),
        power_w=between(system.sys_power, 0.0, 10_000.0),
    )


def gathered(text: str | None) -> str | None:
    """A word about a machine; None before exo has gathered it ("Unknown", "Unknown Chip")."""
    words = " ".join((text or "")[:400].split())[:MOST_NAME_CHARS]
    return words if words and not words.startswith("Unknown") else None


def byte_count(memory: Memory | None) -> int | None:
    """Bytes, None where exo gives none or a figure no machine has."""
    if memory is None or not 0 <= memory.in_bytes <= MOST_BYTES:
        return None
    return memory.in_bytes


def between(value: float | None, least: float, most: float) -> float | None:
    """`value` where it can be true, else None."""
    return value if value is not None and least <= value <= most else None


def _share(value: float | None) -> float | None:
    known = between(value, 0.0, float("inf"))
    return None if known is None else min(known, 1.0)


def _at_most(value: int | None, most: int | None) -> int | None:
    return value if value is None or most is None else min(value, most)


def _reached(topology: Topology) -> dict[str, tuple[str, ...]]:
    """For each node the addresses at which others reach it, those most of them use first.

    exo gives edges in any order, so this one is our own and stays the same from poll to poll.
    """
    uses: dict[str, Counter[str]] = {}
    for sink, address in _edges(topology):
        uses.setdefault(sink, Counter())[address] += 1
    return {sink: tuple(sorted(c, key=lambda a: (-c[a], a))) for sink, c in uses.items()}


def _edges(topology: Topology) -> Iterator[tuple[str, str]]:
    for sinks in topology.connections.values():
        for sink, edges in sinks.items():
            for edge in edges:
                if edge.sink_multiaddr is not None:
                    to = edge.sink_multiaddr
                    yield from ((sink, url) for url in base_url(to.ip_address, to.port))


def _addresses(reached: tuple[str, ...], network: NodeNetwork | None) -> tuple[str, ...]:
    interfaces = network.interfaces if network else ()
    own = (url for i in interfaces for url in base_url(i.ip_address or "", DEFAULT_PORT))
    return tuple(dict.fromkeys((*reached, *own)))


# Every poll asks for the same few: of 64 machines that all reach each other 4032 edges.
@lru_cache(maxsize=1024)
def base_url(ip: str, port: int) -> tuple[str, ...]:
    """`http://ip:port`, or nothing where nobody could be asked: unspecified, link-local, no IP."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ()
    if address.is_unspecified or address.is_link_local or not 0 < port < 65536:
        return ()
    return (f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}",)
