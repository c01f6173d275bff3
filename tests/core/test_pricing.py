from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fleetweb.core.chat import Usage
from fleetweb.core.pricing import cost_usd

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["exo", "ollama"])
def test_the_owners_machines_cost_nothing(kind: str) -> None:
    assert cost_usd(kind, "anything", Usage(1000, 100), at=AT) == 0
    assert cost_usd(kind, "anything", None, at=AT) == 0


def test_cloud_answers_cost_what_the_list_says() -> None:
    # 3 $ a million in, 15 $ out
    cost = cost_usd("claude", "claude-sonnet-4-5", Usage(1_000_000, 1000), at=AT)
    assert isinstance(cost, Decimal)
    assert cost >= Decimal("3.015")


def test_cached_tokens_are_cheaper_and_written_ones_dearer() -> None:
    def cost(usage: Usage) -> Decimal:
        found = cost_usd("claude", "claude-sonnet-4-5", usage, at=AT)
        assert found is not None
        return found

    plain = cost(Usage(10_000, 100))
    assert cost(Usage(10_000, 100, cached_tokens=9_000)) < plain
    assert cost(Usage(10_000, 100, cache_write_tokens=9_000)) > plain


def test_geminis_models_are_known_with_and_without_their_prefix() -> None:
    plain = cost_usd("gemini", "gemini-2.5-flash", Usage(1000, 100), at=AT)
    assert plain is not None
    assert plain > 0
    assert cost_usd("gemini", "models/gemini-2.5-flash", Usage(1000, 100), at=AT) == plain


@pytest.mark.parametrize(
    ("kind", "model", "usage"),
    [
        ("claude", "claude-of-the-far-future", Usage(1000, 100)),
        ("gemini", "gemini-2.5-flash", None),
        ("a provider of tomorrow", "gemini-2.5-flash", Usage(1000, 100)),
        ("claude", "claude-sonnet-4-5", Usage(10, 1, cached_tokens=11)),
    ],
)
def test_an_unknown_price_is_none_and_not_zero(kind: str, model: str, usage: Usage | None) -> None:
    assert cost_usd(kind, model, usage, at=AT) is None
