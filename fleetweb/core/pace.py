"""How fast one model works at one place, learned from the requests it answered."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Self, TypeVar

from .latency import PROMPT_SIZES, Histogram, prompt_bucket

# What a request costs besides reading its prompt, as tokens: so that short prompts, of which
# reading is the smaller part, and long ones can be held against the same rate.
OVERHEAD_TOKENS = 64
ENOUGH = 3  # samples from which a prompt size, or company, has a figure of its own
SETTLED = 5  # answers before which an expectation is too green to be held against what came

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is known of a request before it is answered.

    `cached_tokens` are those of the prompt that need not be read again, None where nobody knows.
    `ahead` counts the requests in hand at the place, and `wait_s` is what the queue before it
    should take, None where there is one and nobody knows how long.
    """

    prompt_tokens: int
    max_tokens: int | None = None
    cached_tokens: int | None = None
    ahead: int = 0
    wait_s: float | None = 0.0
    needs_loading: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """How a streamed answer went, counted from when a place with the model loaded got the request.

    An answer that came in one piece says nothing of its first token and teaches nothing. `cut`
    says that the answer ended at its bound and not by itself.
    """

    ask: Ask
    first_token_s: float
    total_s: float
    answer_tokens: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """What was measured, by name: `reading.2` in tokens/s, `writing`, `answers`, `loading`…

    Of forecasts it keeps how far off they were, as actual over expected (`first`, `end.free`).
    Merging the days or processes that learned gives what they know together.
    """

    measures: Mapping[str, Histogram] = field(default_factory=dict)
    _found: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def merged(cls, paces: Iterable[Self]) -> Self:
        found: dict[str, list[Histogram]] = {}
        for pace in paces:
            for name, histogram in pace.measures.items():
                found.setdefault(name, []).append(histogram)
        return cls({name: Histogram.merged(parts) for name, parts in found.items()})

    def packed(self) -> dict[str, bytes]:
        """Each measure as bytes, to be stored under its name."""
        return {name: histogram.pack() for name, histogram in self.measures.items()}

    @classmethod
    def unpacked(cls, packed: Mapping[str, bytes]) -> Self:
        return cls({name: Histogram.unpack(raw) for name, raw in packed.items()})

    def learn(self, *runs: Run) -> Self:
        """What is known after `runs` too. Expectations are judged by what was known before all."""
        seen: dict[str, list[float]] = {}
        for run in runs:
            for name, value in (*self._speeds(run).items(), *self._misses(run).items()):
                if value is not None:
                    seen.setdefault(name, []).append(value)
        return self._with(seen)

    def _speeds(self, run: Run) -> dict[str, float | None]:
        """Rates as if it had been alone, and what its company cost it."""
        ask, writing_s = run.ask, run.total_s - run.first_token_s
        unread = self.unread(ask)
        reading = _rate(unread + OVERHEAD_TOKENS, run.first_token_s)
        writing = _rate(run.answer_tokens - 1, writing_s)
        return {
            f"reading.{prompt_bucket(unread)}": reading and reading * self.drag("reading", ask),
            "writing": writing and writing * self.drag("writing", ask),
            "company.reading": _cost(reading, self.reading_rate(unread), ask.ahead),
            "company.writing": _cost(writing, self.writing_rate(50), ask.ahead),
            "answers": None if run.cut else float(run.answer_tokens),
            "cached": _share(ask.cached_tokens, ask.prompt_tokens),
        }

    def _misses(self, run: Run) -> dict[str, float | None]:
        if self.count("writing") < SETTLED:
            return {}
        return {
            "first": _rate(run.first_token_s, self.first_token_s(run.ask)),
            f"end.{self.bound(run.ask)}": _rate(run.total_s, self.end_s(run.ask)),
        }

    def loaded_in(self, seconds: float) -> Self:
        """What is known after the model took `seconds` to load here."""
        return self._with({"loading": [seconds]})

    def _with(self, seen: Mapping[str, Iterable[float]]) -> Self:
        added = {n: reduce(Histogram.add, values, self.measure(n)) for n, values in seen.items()}
        return type(self)({**self.measures, **added})

    def measure(self, name: str) -> Histogram:
        """What was measured under `name`, empty where nothing was."""
        return self.measures.get(name, Histogram())

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """What `find` finds of these measures. They don't change, so it is looked for once."""
        if key not in self._found:
            self._found[key] = find()
        found: Found = self._found[key]
        return found

    def count(self, name: str) -> int:
        """How often it was measured."""
        return self.once(("count", name), lambda: self.measure(name).count)

    def percentile(self, name: str, q: float) -> float | None:
        """What was measured under `name`, at that percentile; None where nothing was."""
        return self.once((name, q), lambda: self.measure(name).percentile(q))

    def unread(self, ask: Ask) -> int:
        """The tokens that must be read: those not cached, or as many as usually are not."""
        if ask.cached_tokens is not None:
            return max(0, ask.prompt_tokens - ask.cached_tokens)
        usual = self.percentile("cached", 50) or 0.0
        return round(ask.prompt_tokens * (1 - min(usual, 1.0)))

    def reading_rate(self, tokens: int) -> float | None:
        """Tokens per second at that prompt size, or at all sizes where it has not been seen."""
        own = f"reading.{prompt_bucket(tokens)}"
        if self.count(own) >= ENOUGH:
            return self.percentile(own, 50) or None
        return self.once("reading", self._reading_rate)

    def _reading_rate(self) -> float | None:
        sizes = range(len(PROMPT_SIZES) + 1)
        every = Histogram.merged(self.measure(f"reading.{size}") for size in sizes)
        return every.percentile(50) or None

    def writing_rate(self, q: float) -> float | None:
        """Tokens per second of an answer without company, at that percentile."""
        return self.percentile("writing", q) or None

    def drag(self, kind: str, ask: Ask) -> float:
        """How many times longer `reading` or `writing` takes in such company than alone."""
        costs = f"company.{kind}"
        each = self.percentile(costs, 50) if self.count(costs) >= ENOUGH else None
        return 1 + (each or 0.0) * max(0, ask.ahead)

    def first_token_s(self, ask: Ask) -> float | None:
        """How long reading should take; None before anything was learned."""
        unread = self.unread(ask)
        alone_s = _rate(unread + OVERHEAD_TOKENS, self.reading_rate(unread))
        return None if alone_s is None else alone_s * self.drag("reading", ask)

    def writing_s(self, ask: Ask, tokens: float, q: float = 50) -> float | None:
        """How long `tokens` should take to write, at the `q`th percentile of the rates."""
        alone_s = _rate(tokens, self.writing_rate(q))
        return None if alone_s is None else alone_s * self.drag("writing", ask)

    def end_s(self, ask: Ask) -> float | None:
        """How long reading and an answer of the usual length should take."""
        first_token_s, tokens = self.first_token_s(ask), self.usual_answer(ask)
        writing_s = None if tokens is None else self.writing_s(ask, tokens)
        if first_token_s is None or writing_s is None:
            return None
        return first_token_s + writing_s

    def usual_answer(self, ask: Ask) -> float | None:
        """Tokens that answers usually have here, within the caller's bound."""
        usual = self.percentile("answers", 50)
        if usual is None or ask.max_tokens is None:
            return usual if usual is not None else ask.max_tokens
        return min(usual, ask.max_tokens)

    def bound(self, ask: Ask) -> str:
        """Whether the caller's bound or the model should end the answer."""
        usual = self.percentile("answers", 50)
        bounded = ask.max_tokens is not None and (usual is None or ask.max_tokens <= usual)
        return "bounded" if bounded else "free"


def _rate(amount: float, per: float | None) -> float | None:
    """None where there is nothing to divide, or nothing to divide by: no rate is ever zero."""
    return amount / per if per and per > 0 and amount > 0 else None


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None or whole <= 0 else min(1.0, max(0, part) / whole)


def _cost(rate: float | None, alone: float | None, ahead: int) -> float | None:
    """What each request ahead took from the speed, as a share of the time alone."""
    if ahead <= 0 or not rate or not alone:
        return None
    return max(0.0, alone / rate - 1) / ahead
