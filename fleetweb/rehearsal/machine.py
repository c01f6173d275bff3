"""One pretend Mac Studio: what it is, what exo gathers from it, and how well it is."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .catalogue import ON_DISK

Json = dict[str, Any]

GIB = 1024**3
BASE_USE = 0.06  # of its memory, for the system
DISK_BYTES = 8_000_000_000_000


class View(StrEnum):
    """What a machine's own API shows: exo starts alone, then empties, then sees the others."""

    SHARED = "shared"
    ALONE = "alone"
    EMPTY = "empty"


@dataclass(slots=True, eq=False)
class Machine:
    """A machine of the fleet. `id` is new at every start of exo; everything else stays."""

    name: str
    number: int
    memory_gb: int
    id: str
    port: int = 0
    is_up: bool = True
    is_hung: bool = False
    view: View = View.SHARED
    models: set[str] = field(default_factory=lambda: set(ON_DISK))

    @property
    def is_well(self) -> bool:
        return self.is_up and not self.is_hung

    @property
    def memory_bytes(self) -> int:
        return self.memory_gb * GIB

    @property
    def ring_ip(self) -> str:
        """The address it would have on a network of its own."""
        return f"127.0.{self.number // 200}.{11 + self.number % 200}"

    def free_bytes(self, held_bytes: int) -> int:
        return max(0, int(self.memory_bytes * (1 - BASE_USE)) - held_bytes)

    def identity(self) -> Json:
        return {
            "modelId": "Mac Studio",
            "chipId": "Apple M3 Ultra",
            "friendlyName": self.name,
            "osVersion": "15.6",
            "osBuildVersion": "24G84",
        }

    def network(self) -> Json:
        return {
            "interfaces": [
                {"name": "en0", "ipAddress": self.ring_ip, "interfaceType": "ethernet"},
            ]
        }

    def disk(self) -> Json:
        free = DISK_BYTES * 0.4 - self.number * 1e9
        return {"total": {"inBytes": DISK_BYTES}, "available": {"inBytes": int(free)}}

    def memory(self, held_bytes: int, rng: random.Random) -> Json:
        jitter = rng.randint(-40_000_000, 40_000_000)
        return {
            "ramTotal": {"inBytes": self.memory_bytes},
            "ramAvailable": {"inBytes": max(0, self.free_bytes(held_bytes) + jitter)},
            "swapTotal": {"inBytes": 0},
            "swapAvailable": {"inBytes": 0},
        }

    def system(self, busy: bool, rng: random.Random) -> Json:
        """GPU and cores as shares of 1, °C and W, as a Mac reports them."""
        gpu = rng.uniform(0.72, 0.97) if busy else rng.uniform(0.0, 0.02)
        return {
            "gpuUsage": round(gpu, 3),
            "temp": round(36.5 + 38 * gpu + rng.uniform(-0.5, 0.5), 2),
            "sysPower": round(9.5 + 210 * gpu, 2),
            "pcpuUsage": round(0.02 + 0.2 * gpu, 3),
            "ecpuUsage": round(0.04 + 0.1 * gpu, 3),
        }


def new_node_id(rng: random.Random) -> str:
    """32 hex digits, as exo names its nodes."""
    return f"{rng.getrandbits(128):032x}"
