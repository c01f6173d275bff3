"""What has been seen of each model: how fast it reads and writes, and how long it is silent."""

import asyncio
from dataclasses import dataclass, replace
from typing import Self

from channels.db import database_sync_to_async

from fleetweb.core.chat import ChatRequest, estimate_prompt_tokens
from fleetweb.core.forecast import Forecast
from fleetweb.core.listening.silence import Gap, Gaps, Phase
from fleetweb.core.pace import Ask, Pace, Run
from fleetweb.core.progress import Progress, revise
from fleetweb.core.streams import Outcome

from .models import RequestMetric

RECALLED_ROWS = 500


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one request may be expected to take, judged by its model's past at its place."""

    pace: Pace
    ask: Ask

    def told(self, unread_tokens: int) -> Self:
        """The same, once exo has said how much of the prompt it has to read."""
        return replace(self, ask=replace(self.ask, prompt_tokens=unread_tokens, cached_tokens=0))

    def forecast(self, progress: Progress) -> Forecast:
        return revise(self.pace, self.ask, progress)


class Experience:
    """Learned from every streamed answer of the fleet; recalled from the history at the start."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, str], Pace] = {}  # by model and cluster
        self._gaps: dict[str, Gaps] = {}

    def outlook(
        self, request: ChatRequest, model_id: str, cluster: str, *, ahead: int, needs_loading: bool
    ) -> Outlook:
        pace = self._paces.get((model_id, cluster), Pace())
        ask = Ask(
            prompt_tokens=estimate_prompt_tokens(request),
            max_tokens=request.max_tokens,
            ahead=ahead,
            needs_loading=needs_loading,
        )
        return Outlook(pace, ask)

    def gaps_of(self, model_id: str) -> Gaps | None:
        return self._gaps.get(model_id)

    def learn_gaps(self, model_id: str, gaps: Gaps) -> None:
        self._gaps[model_id] = self._gaps.get(model_id, Gaps()).merge(gaps)

    def learn_run(self, model_id: str, cluster: str, run: Run) -> None:
        pace = self._paces.get((model_id, cluster), Pace())
        self._paces[model_id, cluster] = pace.learn(run)

    def learn_load(self, model_id: str, cluster: str, seconds: float) -> None:
        pace = self._paces.get((model_id, cluster), Pace())
        self._paces[model_id, cluster] = pace.loaded_in(seconds)

    async def recall(self) -> None:
        """Learn from what earlier processes answered."""
        for row in await database_sync_to_async(_rows)():
            if run := _run(row):
                self.learn_run(row.model, row.cluster, run)
            self.learn_gaps(row.model, _longest_gap(row))
            await asyncio.sleep(0)  # a few hundred at once would hold up everybody's tokens


def _rows() -> list[RequestMetric]:
    """The latest that fleetweb saw answered by the fleet, oldest first."""
    rows = RequestMetric.objects.filter(
        status=Outcome.OK.value, provider="exo", cached=False, ttft_ms__isnull=False
    )[:RECALLED_ROWS]
    return list(reversed(rows))


def _longest_gap(row: RequestMetric) -> Gaps:
    """Of the history only the longest is known, and not whether the model thought or answered."""
    if row.longest_gap_ms is None:
        return Gaps()
    seconds = row.longest_gap_ms / 1000
    written = (Phase.THINKING, Phase.ANSWERING)
    return Gaps.of(Gap(phase, seconds, row.prompt_tokens) for phase in written)


def _run(row: RequestMetric) -> Run | None:
    if not row.prompt_tokens or not row.completion_tokens or not row.latency_ms or not row.ttft_ms:
        return None
    before_ms = (row.waited_ms or 0.0) + (row.loading_ms or 0.0)
    return Run(
        ask=Ask(row.prompt_tokens, cached_tokens=row.cached_tokens),
        first_token_s=max(0.001, (row.ttft_ms - before_ms) / 1000),
        total_s=max(0.002, (row.latency_ms - before_ms) / 1000),
        answer_tokens=row.completion_tokens,
        cut=row.finish_reason == "length",
    )
