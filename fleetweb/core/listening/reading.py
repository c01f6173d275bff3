"""What the text of one stream's thinking, or of its answer, shows so far."""

from collections import deque
from functools import cache

from ..evidence import Evidence
from .circling import Circling, Cycle
from .cues import turns
from .doubt import Doubt, Judgement, Model, at_least, load_model
from .lexing import Lexeme, Lexer
from .passages import Passage, Passages

REVISITS = 3  # from so many on, thinking is called recursive
_REVISITS_WITHIN = 4000  # characters; what counts is the rate
_CONTRADICTION_LASTS = 800  # characters after it was found, about 200 tokens
_REVISIT_LIKELY = 0.5
_LATEST = 8  # passages; one that equals one of these is a loop in the making, not a second look


@cache
def shipped_model() -> Model:
    """The model that ships with fleetweb, read once."""
    return load_model()


class Reader:
    """Reads a text piece by piece. The labels are judged in thinking only, loops everywhere."""

    def __init__(self, model: Model | None = None) -> None:
        self._model = model or shipped_model()
        self._lexer = Lexer()
        self._circling = Circling()
        self._passages = Passages(turns)
        self._doubt = Doubt(self._model)
        self._latest: deque[tuple[str, ...]] = deque(maxlen=_LATEST)
        self._judged: deque[Judgement] = deque()
        self._thinking = False
        self._chars = 0
        self._found: Judgement | None = None
        self.recursion_likelihood = 0.0  # of three or more revisits, as of now

    @property
    def contradiction(self) -> Judgement | None:
        """The contradiction the thinker is busy with, while it is fresh."""
        if self._found is None or self._chars - self._found.end > _CONTRADICTION_LASTS:
            return None
        return self._found

    @property
    def recursive(self) -> bool:
        """Whether the thinker keeps going over what it had settled."""
        return self.recursion_likelihood >= self._model.recursive_from

    @property
    def cycle(self) -> Cycle | None:
        return self._circling.cycle

    @property
    def last_judged(self) -> Judgement | None:
        return self._judged[-1] if self._judged else None

    def read(self, text: str, *, thinking: bool) -> None:
        self._thinking = thinking
        self._chars += len(text)
        for unit in self._lexer.feed(text):
            self._take(unit)

    def finish(self) -> None:
        """The text has ended: what it ended on is judged as well."""
        for unit in self._lexer.finish():
            self._take(unit)
        self._weigh(self._passages.close())

    def evidence(self) -> tuple[Evidence, ...]:
        return (*self._of_contradiction(), *self._of_revisits(), *self._of_cycle())

    def _take(self, unit: Lexeme) -> None:
        self._circling.feed(unit)
        if self._thinking:  # an answer may speak of contradictions; only thinking has them
            self._weigh(self._passages.feed(unit))

    def _weigh(self, passage: Passage | None) -> None:
        if passage is None or self.cycle is not None or self._repeats(passage):
            return
        judged = self._doubt.judge(passage)
        if judged.contradiction >= self._model.contradiction_from:
            self._found = judged
        self._judged.append(judged)
        while self._judged[0].end < judged.end - _REVISITS_WITHIN:
            self._judged.popleft()
        self.recursion_likelihood = at_least(REVISITS, [each.revisit for each in self._judged])

    def _repeats(self, passage: Passage) -> bool:
        text = tuple(unit.text for unit in passage.units)
        known = text in self._latest
        self._latest.append(text)
        return known

    def _of_contradiction(self) -> tuple[Evidence, ...]:
        found = self.contradiction
        if found is None:
            return ()
        likelihood, bound = round(found.contradiction, 3), self._model.contradiction_from
        return (
            Evidence("contradiction_likelihood", likelihood, bound, "stream"),
            Evidence("contradiction_start_char", found.start, None, "stream"),
            Evidence("contradiction_end_char", found.end, None, "stream"),
        )

    def _of_revisits(self) -> tuple[Evidence, ...]:
        if not self.recursive:
            return ()
        likely = [each for each in self._judged if each.revisit >= _REVISIT_LIKELY]
        return (
            Evidence("revisits", len(likely), REVISITS, "stream"),
            *(Evidence("revisit_start_char", each.start, None, "stream") for each in likely[-5:]),
        )

    def _of_cycle(self) -> tuple[Evidence, ...]:
        cycle = self.cycle
        if cycle is None:
            return ()
        start = Evidence("cycle_start_char", cycle.start_char, None, "stream")
        if not cycle.exact:
            return (start,)
        return (
            Evidence("cycle_words", cycle.words, None, "stream"),
            Evidence("cycle_repeats", cycle.repeats, 3, "stream"),
            start,
        )
