"""What an answer cost, by the maintained price table that comes with genai-prices, offline."""

from datetime import datetime
from decimal import Decimal

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from .chat import Usage

FREE = frozenset({"exo", "ollama"})  # the owner's own machines
PRICE_LISTS = {"gemini": "google", "claude": "anthropic"}


def cost_usd(kind: str, model: str, usage: Usage | None, *, at: datetime) -> Decimal | None:
    """What `usage` of `model` at a provider of this kind cost at that time, in US dollars.

    Local providers cost 0. None means unknown: no usage was reported, it contradicts itself, or
    nobody knows the price.
    """
    if kind in FREE:
        return Decimal(0)
    if usage is None or kind not in PRICE_LISTS:
        return None
    try:
        total: Decimal = calc_price(
            _priced(usage),
            model.removeprefix("models/"),
            provider_id=PRICE_LISTS[kind],
            genai_request_timestamp=at,
        ).total_price
    except (LookupError, ValueError):
        return None
    return total


def _priced(usage: Usage) -> PricedUsage:
    return PricedUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
