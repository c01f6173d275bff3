"""API keys as the page of keys shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fleetweb.gateway.ledger import NOTHING, Use
from fleetweb.gateway.models import ApiKey

from ..cards.figures import plural
from ..cards.moments import Moment, moment


@dataclass(frozen=True, slots=True)
class UseCard:
    """What was used in a while: what its limit is on first, then the rest.

    `filled` is how much of the limit is gone in whole per cent, None where there is no limit.
    """

    label: str
    limited: str
    rest: tuple[str, ...]
    filled: int | None = None

    @property
    def is_spent(self) -> bool:
        return self.filled == 100


@dataclass(frozen=True, slots=True)
class KeyCard:
    pk: int
    id: str
    name: str
    shown: str
    created: Moment
    last_used: Moment | None
    revoked: Moment | None
    requests_per_minute: str
    use: tuple[UseCard, ...]
    local_only: bool


@dataclass(frozen=True, slots=True)
class Uses:
    """What all keys used, by their ids: on this day, and in this month."""

    today: Mapping[int, Use]
    this_month: Mapping[int, Use]


def key_card(key: ApiKey, uses: Uses, now: datetime) -> KeyCard:
    rate = key.requests_per_minute
    return KeyCard(
        pk=key.pk,
        id=f"key-{key.pk}",
        name=key.name,
        shown=key.shown,
        created=moment(key.created_at, now),
        last_used=moment(key.last_used_at, now) if key.last_used_at else None,
        revoked=moment(key.revoked_at, now) if key.revoked_at else None,
        requests_per_minute=f"{rate:,} a minute" if rate else "no limit",
        use=(
            _today(uses.today.get(key.pk, NOTHING), key.tokens_per_day),
            _this_month(uses.this_month.get(key.pk, NOTHING), key.usd_per_month),
        ),
        local_only=key.local_only,
    )


def _today(use: Use, limit: int | None) -> UseCard:
    tokens = plural(use.tokens, "token")
    return UseCard(
        label="Today",
        limited=f"{use.tokens:,} of {plural(limit, 'token')}" if limit else f"{tokens}, no limit",
        rest=(_usd(use), plural(use.requests, "request")),
        filled=_filled(use.tokens, limit),
    )


def _this_month(use: Use, limit: Decimal | None) -> UseCard:
    return UseCard(
        label="This month",
        limited=f"{_usd(use)} of ${limit:,.2f}" if limit else f"{_usd(use)}, no limit",
        rest=(plural(use.tokens, "token"), plural(use.requests, "request")),
        filled=_filled(use.cost_usd, limit),
    )


def _usd(use: Use) -> str:
    """To the cent, and what is less than one said as less."""
    if 0 < use.cost_usd < Decimal("0.01"):
        return "under $0.01"
    return f"${use.cost_usd:,.2f}"


def _filled(used: Decimal | int, limit: Decimal | int | None) -> int | None:
    """In whole per cent, 100 only when it is all gone."""
    return None if not limit else min(100, int(100 * used / limit))
