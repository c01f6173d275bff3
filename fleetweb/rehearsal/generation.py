"""One text generation: the request, what is left to say, and the pieces its stream is made of."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from .asking import Ask
from .pace import PREFILL_STEP_TOKENS
from .voices import Script, count

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prefill:
    processed: int
    total: int


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of text; the last one carries why it ended and what it used."""

    text: str
    thinking: bool
    finish_reason: str | None = None
    usage: Json | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    document: Json


@dataclass(frozen=True, slots=True)
class Failed:
    message: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more will come, and exo does not say why."""


Said = Prefill | Token | Stats | Failed
Piece = Said | Closed


@dataclass(slots=True)
class Job:
    """A request in hand. `pieces` is what its caller reads."""

    ask: Ask
    script: Script
    task_id: str
    command_id: str
    cached_tokens: int = 0
    orphaned: bool = False  # its caller's door died: exo never removes the task then
    muted: bool = False  # cancelled by name: the stream ends, the runner goes on
    due_s: float = 0.0
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    work: asyncio.Task[None] | None = None

    def tell(self, piece: Piece) -> None:
        if not self.muted:
            self.pieces.put_nowait(piece)

    @property
    def prompt_tokens(self) -> int:
        return count(self.ask.prompt) + 10  # the chat template's share

    @property
    def prefill_tokens(self) -> int:
        return max(1, self.prompt_tokens - self.cached_tokens - 1)

    def prefill_marks(self) -> list[int]:
        """Where prefill reports: every 4096 tokens, one before the end, and the end."""
        total = self.prefill_tokens
        return [*range(PREFILL_STEP_TOKENS, total - 1, PREFILL_STEP_TOKENS), total - 1, total]

    def tokens(self) -> list[Token]:
        """All it will say, cut at the caller's limit."""
        said = [Token(text, True) for text in self.script.thinking if self.ask.thinking]
        said += [Token(text, False) for text in self.script.answer]
        limit = max(0, self.ask.max_tokens or 0) or len(said)
        kept = said[:limit]
        reason = "length" if len(said) > limit else "stop"
        thought = sum(token.thinking for token in kept)
        last = Token(kept[-1].text, kept[-1].thinking, reason, self._usage(len(kept), thought))
        return [*kept[:-1], last]

    def _usage(self, completion: int, thought: int) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": thought,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def stats(self, prompt_tps: float, generation_tps: float, generated: int, peak: int) -> Stats:
        nearly_all = self.cached_tokens >= self.prompt_tokens - 2
        hit = "exact" if nearly_all else "partial" if self.cached_tokens else "none"
        return Stats(
            {
                "prompt_tps": prompt_tps,
                "generation_tps": generation_tps,
                "prompt_tokens": self.prompt_tokens,
                "generation_tokens": generated,
                "peak_memory_usage": {"in_bytes": peak},
                "prefix_cache_hit": hit,
            }
        )
