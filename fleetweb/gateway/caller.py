"""Who asks, and what they allow."""

from dataclasses import dataclass
from enum import StrEnum

from fleetweb.core.balancing import LoadBalanceStrategy


class Reach(StrEnum):
    """How far a request may go when the fleet can't answer it (`X-Fleetweb-Fallback`)."""

    ANY = "any"
    LOCAL = "local"  # not out of the house
    NONE = "none"  # the fleet or nobody


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is a key's or a user's; `key_id` is None for users. `strategy` None is the default.

    `keeps_text` is for who wants a history of texts: the playground, or an owner who said so.
    """

    name: str
    key_id: int | None = None
    has_limits: bool = False
    reach: Reach = Reach.ANY
    strategy: LoadBalanceStrategy | None = None
    skips_cache: bool = False
    source: str = "api"
    keeps_text: bool = False

    @property
    def stays_in_house(self) -> bool:
        return self.reach is not Reach.ANY
