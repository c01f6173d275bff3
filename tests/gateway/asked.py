"""Requests of a key as the history has them."""

from datetime import datetime
from itertools import count
from typing import Any

from fleetweb.gateway.models import ApiKey, RequestMetric

_numbers = count(1)


def asked(key: ApiKey, at: datetime, status: str = "ok", **figures: Any) -> RequestMetric:
    """A request of `key`, not saved."""
    return RequestMetric(
        id=f"req_{next(_numbers)}",
        asked_at=at,
        status=status,
        process="test:1:a",
        caller=key.name,
        key=key,
        model_asked="auto",
        **figures,
    )
