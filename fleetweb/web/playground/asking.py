"""What is asked of whom: a target's wishes and a conversation as the gateway's request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.core.chat import ChatRequest
from fleetweb.core.openai import parse_request
from fleetweb.gateway.caller import Caller, Reach

BEST: Final = "auto"  # any model that is loaded and free
SOURCE: Final = "playground"
TARGETS_AT_MOST: Final = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to answer. `strategy` None is the fleet's own."""

    model: str = BEST
    strategy: LoadBalanceStrategy | None = None
    reach: Reach = Reach.ANY
    afresh: bool = False

    def caller(self, name: str) -> Caller:
        return Caller(
            name,
            reach=self.reach,
            strategy=self.strategy,
            skips_cache=self.afresh,
            source=SOURCE,
            keeps_text=True,
        )

    def headers(self) -> dict[str, str]:
        """The same wishes, as a program sends them."""
        told = {}
        if self.strategy is not None:
            told["X-Fleetweb-Strategy"] = self.strategy.value
        if self.reach is not Reach.ANY:
            told["X-Fleetweb-Fallback"] = self.reach.value
        if self.afresh:
            told["Cache-Control"] = "no-cache"
        return told


def body_of(
    model: str,
    system: str,
    past: Iterable[tuple[str, str]],
    prompt: str,
    params: Mapping[str, Any],
) -> dict[str, Any]:
    """The body of a chat request; `past` are the earlier prompts, each with its answer."""
    messages = [{"role": "system", "content": system}] if system else []
    for asked, answered in past:
        messages.append({"role": "user", "content": asked})
        if answered:
            messages.append({"role": "assistant", "content": answered})
    messages.append({"role": "user", "content": prompt})
    return {"model": model, "messages": messages, **params, "stream": True}


def request_of(body: Mapping[str, Any]) -> ChatRequest:
    """Checked as `/v1` checks it. Raises InvalidRequest."""
    return parse_request({**body, "stream_options": {"include_usage": True}})
