"""Which door of a cluster to ask: any node answers for all, but asking costs the one asked."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# A door that failed is left alone for so long while another one answers.
AVOIDED_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Door:
    """One address at which a cluster answers. `node_id` is whose it is, None while unknown."""

    url: str
    node_id: str | None = None
    failed_at: datetime | None = None

    def failed(self, now: datetime) -> "Door":
        return replace(self, failed_at=now)

    def answered(self) -> "Door":
        return replace(self, failed_at=None)


def in_order(doors: Iterable[Door], busy: Collection[str], now: datetime) -> list[Door]:
    """The doors, best first: one that answers, at a machine that is not working.

    `busy` are the exo ids of machines at work. One `/state` costs the machine asked about 100 ms
    of CPU, and so holds up the tokens it is making. Among equals the order given decides.
    """

    def key(door: Door) -> tuple[bool, bool]:
        avoided = door.failed_at is not None and now - door.failed_at <= AVOIDED_FOR
        return avoided, door.node_id in busy

    return sorted(doors, key=key)
