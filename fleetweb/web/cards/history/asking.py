"""What somebody wants to look back at. The address says all of it, so it can be kept and sent."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode

from django.http import QueryDict

from . import window
from .window import Window

MOST_PICKED: Final = 6

Word = TypeVar("Word", bound=StrEnum)


class By(StrEnum):
    """What stands side by side."""

    MACHINE = "machine"
    MODEL = "model"
    PROVIDER = "provider"


class Percentile(StrEnum):
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


@dataclass(frozen=True, slots=True)
class Asked:
    """`picked` is empty where nobody chose. `begin` and `end` are as they were written.

    `opened` are those whose tables are to be there with all their rows.
    `wrong` says what in the address could not be understood; what is shown is then the default.
    """

    window: Window
    by: By = By.MACHINE
    picked: tuple[str, ...] = ()
    model: str = ""
    percentile: Percentile = Percentile.P95
    begin: str = ""
    end: str = ""
    wrong: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()

    def address(self, **changes: str) -> str:
        """The query of the same question, with some of it changed; empty takes it away.

        Another range takes the place of from and to.
        """
        parts: list[tuple[str, str]] = [("by", self.by), ("p", self.percentile)]
        if self.model:
            parts.append(("model", self.model))
        if self.window.choice:
            parts.append(("range", self.window.choice))
        else:
            parts += [("from", iso(self.window.since))]
            parts += [] if self.window.is_live else [("to", iso(self.window.until))]
        if "range" in changes:
            parts = [part for part in parts if part[0] not in ("from", "to")]
        parts = [part for part in parts if part[0] not in changes]
        kept = [] if "by" in changes else self._names()
        return urlencode([*parts, *((k, v) for k, v in changes.items() if v), *kept])

    @property
    def key(self) -> tuple[object, ...]:
        """What tells one question from another; a range that ends now is the same all the time."""
        return self.address(), self.begin, self.end, self.wrong

    def _names(self) -> list[tuple[str, str]]:
        picked = [("pick", name) for name in self.picked]
        return picked + [("table", name) for name in self.opened]


def asked(params: QueryDict, now: datetime, by: By = By.MACHINE) -> Asked:
    """The question in an address. What is wrong in it is said, and left out."""
    wrong: list[str] = []
    begin, end = params.get("from", "").strip(), params.get("to", "").strip()
    found = _window(params, begin, end, now, wrong)
    by = _one_of(By, params.get("by", ""), by, wrong)
    picked = params.getlist("pick")
    if len(picked) > MOST_PICKED:
        wrong.append(f"Side by side there is room for {MOST_PICKED}: the first are shown.")
    return Asked(
        window=found,
        by=by,
        picked=tuple(dict.fromkeys(picked))[:MOST_PICKED],
        model=params.get("model", "").strip(),
        percentile=_one_of(Percentile, params.get("p", ""), Percentile.P95, wrong),
        begin=begin,
        end=end,
        wrong=tuple(wrong),
        opened=tuple(dict.fromkeys(params.getlist("table")))[:MOST_PICKED],
    )


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _window(params: QueryDict, begin: str, end: str, now: datetime, wrong: list[str]) -> Window:
    try:
        if begin or end:
            return window.between(begin, end, now)
        return window.chosen(params.get("range") or window.DEFAULT, now)
    except window.BadWindow as error:
        wrong.append(str(error))
        return window.chosen(window.DEFAULT, now)


def _one_of(kind: type[Word], given: str, default: Word, wrong: list[str]) -> Word:
    if not given:
        return default
    try:
        return kind(given)
    except ValueError:
        wrong.append(f"There is no “{given}” here: choose one of {', '.join(kind)}.")
        return default
