"""Requests as the history has them, for what is looked back at."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from fleetweb.gateway.models import RequestMetric

_numbers = count(1)


def request(at: datetime, status: str = "ok", **figures: Any) -> RequestMetric:
    """A request of a person's, asked `at` of king, not saved."""
    defaults: dict[str, Any] = {
        "id": f"req_{next(_numbers):08}",
        "process": "test:1:a",
        "caller": "owner",
        "model_asked": "auto",
        "model": "mlx/Llama-3.3-70B",
        "provider": "exo",
        "node": "king",
        "latency_ms": 1000.0,
        "ttft_ms": 200.0,
        "tokens_per_s": 20.0,
        "prompt_tokens": 100,
        "completion_tokens": 40,
        "ended_at": at + timedelta(seconds=1),
    }
    return RequestMetric(asked_at=at, status=status, **{**defaults, **figures})
