"""What has been seen of each model: how fast it reads and writes, and how long it is silent."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from channels.db import database_sync_to_async

from fleetweb.core.chat import ChatRequest, estimate_prompt_tokens
from fleetweb.core.forecast import Forecast
from fleetweb.core.listening.silence import Gap, Gaps, Phase
from fleetweb.core.pace import Ask, Pace, Run
from fleetweb.core.progress import Progress, revise
from fleetweb.core.streams import Outcome

from .models import RequestMetric

RECALLED_ROWS: Final = 500
# What comes faster is learned together, so many at once: it costs a fraction, and says as much.
LEARNS_EVERY_S: Final = 0.2
TOGETHER: Final = 8

Place = tuple[str, str]  # a model, and the cluster it answers in


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
        self._paces: dict[Place, Pace] = {}
        self._gaps: dict[str, Gaps] = {}
        self._runs: defaultdict[Place, list[Run]] = defaultdict(list)
        self._silences: defaultdict[str, list[Gap]] = defaultdict(list)
        self._learns_at = 0.0

    def outlook(
        self, request: ChatRequest, model_id: str, cluster: str, *, ahead: int, needs_loading: bool
    ) -> Outlook:
        self.catch_up()
        pace = self._paces.get((model_id, cluster), Pace())
        ask = Ask(
            prompt_tokens=estimate_prompt_tokens(request),
            max_tokens=request.max_tokens,
            ahead=ahead,
            needs_loading=needs_loading,
        )
        return Outlook(pace, ask)

    def gaps_of(self, model_id: str) -> Gaps | None:
        self.catch_up()
        return self._gaps.get(model_id)

    def learn_gaps(self, model_id: str, gaps: Iterable[Gap]) -> None:
        self._silences[model_id].extend(gaps)

    def learn_run(self, model_id: str, cluster: str, run: Run) -> None:
        self._runs[model_id, cluster].append(run)

    def catch_up(self) -> None:
        """Learn from what has come, unless that was just done."""
        now = time.monotonic()
        if now >= self._learns_at:
            self._learns_at = now + LEARNS_EVERY_S
            self._learn_all()

    def _learn_all(self) -> None:
        came, self._runs = self._runs, defaultdict(list)
        silences, self._silences = self._silences, defaultdict(list)
        for place, runs in came.items():
            for begin in range(0, len(runs), TOGETHER):
                pace = self._paces.get(place, Pace())
                self._paces[place] = pace.learn(*runs[begin : begin + TOGETHER])
        for model_id, gaps in silences.items():
            self._gaps[model_id] = self._gaps.get(model_id, Gaps()).merge(Gaps.of(gaps))

    def learn_load(self, model_id: str, cluster: str, seconds: float) -> None:
        pace = self._paces.get((model_id, cluster), Pace())
        self._paces[model_id, cluster] = pace.loaded_in(seconds)

    async def recall(self) -> None:
        """Learn from what earlier processes answered."""
        rows = await database_sync_to_async(_rows)()
        for begin in range(0, len(rows), TOGETHER):
            for row in rows[begin : begin + TOGETHER]:
                if run := _run(row):
                    self.learn_run(row.model, row.cluster, run)
                self.learn_gaps(row.model, _longest_gap(row))
            self._learn_all()
            await asyncio.sleep(0)  # a few hundred at once would hold up everybody's tokens


def _rows() -> list[RequestMetric]:
    """The latest that fleetweb saw answered by the fleet, oldest first."""
    rows = RequestMetric.objects.filter(
        status=Outcome.OK.value, provider="exo", cached=False, ttft_ms__isnull=False
    )[:RECALLED_ROWS]
    return list(reversed(rows))


def _longest_gap(row: RequestMetric) -> Iterable[Gap]:
    """Of the history only the longest is known, and not whether the model thought or answered."""
    if row.longest_gap_ms is not None:
        for phase in (Phase.THINKING, Phase.ANSWERING):
            yield Gap(phase, row.longest_gap_ms / 1000, row.prompt_tokens)


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
