"""Which door of a cluster to ask: any node answers for all, but asking costs the one asked."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Door:
    """One address at which a cluster answers.

    `node_id` is whose it is, None while unknown. `failed_at` is None unless it failed last time.
    """

    url: str
    node_id: str | None = None
    failed_at: datetime | None = None

    def failed(self, now: datetime) -> "Door":
        return replace(self, failed_at=now)

    def answered(self) -> "Door":
        return replace(self, failed_at=None)


def in_order(doors: Iterable[Door], here: Collection[str], busy: Collection[str]) -> list[Door]:
    """The doors, best first: one that answers, of a machine that is here and is not working.

    `here` are the exo ids in the topology, `busy` those at work: one `/state` costs the machine
    asked about 100 ms of CPU, and so holds up the tokens it is making. A door of nobody who is
    here may belong to a machine that has just started and knows no other yet. Those that failed
    take turns, the one that failed longest ago first. Among equals the order given decides.
    """

    def key(door: Door) -> tuple[datetime, bool, bool]:
        return door.failed_at or _NEVER, door.node_id not in here, door.node_id in busy

    return sorted(doors, key=key)
