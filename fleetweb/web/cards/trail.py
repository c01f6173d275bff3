"""The last minute of a machine's effort as a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from .figures import share, svg

SECONDS = 60
HEIGHT = 24
_FLOOR = HEIGHT - 2
_RISE = HEIGHT - 4


@dataclass(frozen=True, slots=True)
class TrailCard:
    """`path` breaks where nothing is known. `words` say the same to whoever can't see it."""

    path: str
    area: str
    words: str


def trail(values: Sequence[float | None]) -> TrailCard:
    recent = list(values)[-SECONDS:]
    start = SECONDS - len(recent)
    runs = _runs(start, recent)
    return TrailCard(
        path=" ".join(_line(run) for run in runs),
        area=" ".join(_fill(run) for run in runs),
        words=_words([value for value in recent if value is not None]),
    )


Point = tuple[int, float]


def _runs(start: int, values: Sequence[float | None]) -> list[list[Point]]:
    """Stretches without a gap, as points: one second is one unit, newest at the right end."""
    runs: list[list[Point]] = [[]]
    for x, value in enumerate(values, start=start):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x, _FLOOR - _RISE * min(1.0, max(0.0, value))))
    return [run for run in runs if len(run) > 1]


def _line(run: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x} {svg(y)}" for x, y in run)


def _fill(run: Sequence[Point]) -> str:
    return f"M{run[0][0]} {HEIGHT}L{_line(run)[1:]}L{run[-1][0]} {HEIGHT}Z"


def _words(known: Sequence[float]) -> str:
    if not known:
        return "Effort over the last minute: unknown"
    return f"Effort over the last minute: {share(known[-1])} now, at most {share(max(known))}"
