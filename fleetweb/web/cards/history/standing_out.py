"""What stands out, in sentences, each with its reason and the way to that time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fleetweb.core import words
from fleetweb.core.answering import (
    Against,
    Away,
    Failing,
    Felt,
    Measured,
    Reasons,
    Slow,
    Trouble,
)
from fleetweb.core.buckets import at_of
from fleetweb.core.findings import Finding, findings
from fleetweb.core.presence import CognitiveState

from .. import figures
from ..looks import LOOKS, Tone
from .asking import By
from .bands import Did, Shares
from .book import Book
from .times import Wall
from .window import Window

_WAS = {
    CognitiveState.OFFLINE: "offline",
    CognitiveState.QUIET: "gone quiet",
    CognitiveState.STUMBLED: "stumbling",
    CognitiveState.CIRCLING: "going in circles",
    CognitiveState.SILENT: "silent in the middle of an answer",
}
_MEASURED = {
    Measured.TTFT: "to the first token of",
    Measured.LATENCY: "to answer with",
}


@dataclass(frozen=True, slots=True)
class FindingCard:
    """`address` is the query of the time it speaks of, with something around it."""

    icon: str
    tone: Tone
    sentence: str
    reason: str
    address: str


def standing_out(book: Book, did: Did, wall: Wall, now: datetime) -> tuple[FindingCard, ...]:
    """What stands out, gravest first. About models and providers nothing is concluded."""
    felt = {
        name: _felt(book, name, did[name], now)
        for name in book.machines
        if name not in book.never_seen
    }
    found = findings(book.served, felt, about=_about(book))
    return tuple(_card(one, book, wall) for one in found)


def _about(book: Book) -> set[str]:
    """All machines, unless some were chosen."""
    chosen = book.machines if book.node or _is_picked(book) else book.everybody
    return set(chosen) - book.never_seen


def _is_picked(book: Book) -> bool:
    return book.asked.by is By.MACHINE and bool(book.asked.picked)


def scope(book: Book) -> str:
    """Of whom it is not said whether they were away, where there are such."""
    if book.node or _is_picked(book) or len(book.everybody) == len(book.machines):
        return ""
    shown = words.listing(book.machines)
    return f"Whether a machine was away is said only of {shown}."


def calm(book: Book) -> str:
    """What is said where nothing stands out."""
    if not any(line.series.total.count for line in book.lines):
        return "Nothing was asked through fleetweb in this time."
    return "Nothing stands out: nobody was much slower than usual, and nothing kept failing."


def _felt(book: Book, name: str, slots: Sequence[Shares], now: datetime) -> tuple[Felt, ...]:
    until_s = min(book.window.until, now).timestamp()
    found = []
    for place, shares in enumerate(slots):
        begins_s, ends_s = book.grid[place], book.grid[place + 1]
        whole_s = max(0.0, (ends_s if book.spans_are_all else min(ends_s, until_s)) - begins_s)
        states = {state: share * whole_s for state, share in shares.items()}
        hottest = book.presence[name][place].temperature_max_c
        found.append(Felt(begins_s, ends_s, states, hottest))
    return tuple(found)


def _card(found: Finding, book: Book, wall: Wall) -> FindingCard:
    when = wall.span(found.begins_s, found.ends_s)
    address = _around(found, book)
    if isinstance(found, Slow):
        return FindingCard("hourglass", Tone.HURT, _slow(found, when), _why(found), address)
    if isinstance(found, Failing):
        said = (
            f"{found.errors:,} of {figures.plural(found.requests, 'request')} to {found.machine} "
            f"failed from {when}."
        )
        return FindingCard("triangle-alert", Tone.HURT, said, _why(found), address)
    return _away(found, when, address)


def _slow(found: Slow, when: str) -> str:
    model = words.short_model(found.model)
    than = "the others" if found.against is Against.OTHERS else "it usually does"
    return (
        f"{found.machine} took {found.times:.1f}× as long {_MEASURED[found.measured]} {model} "
        f"as {than}, from {when}: {figures.elapsed(found.took_ms)} instead of "
        f"{figures.elapsed(found.usual_ms)}, in {figures.plural(found.requests, 'request')}."
    )


def _away(found: Away, when: str, address: str) -> FindingCard:
    look = LOOKS[found.trouble.state]
    # Much less than the time between is no one trouble, but several apart.
    is_apart = 2 * found.trouble.lasted_s < found.ends_s - found.begins_s
    in_all = " in all" if is_apart else ""
    who = words.listing([found.machine, *found.beside])
    were = "were" if found.beside else "was"
    said = f"{who} {were} {_trouble(found.trouble)}{in_all}, from {when}."
    return FindingCard(look.icon, look.tone, said, "", address)


def _why(found: Slow | Failing) -> str:
    reasons = found.reasons
    seen = [f"it was {words.listing(list(_parts(reasons)))}"] if reasons.are_known else []
    if reasons.elsewhere:
        machine, trouble = reasons.elsewhere
        seen.append(f"{machine} was {_trouble(trouble)}")
    if seen:
        return f"In that time {', and '.join(seen)}."
    if not reasons.are_looked_for:
        return "What it did meanwhile stands there."
    if isinstance(found, Slow):
        return "Nothing it reported explains that; longer prompts or longer answers would."
    return "Nothing it reported explains that; what went wrong stands with each request."


def _parts(reasons: Reasons) -> Iterator[str]:
    for trouble in reasons.troubles:
        yield _trouble(trouble)
    if reasons.hot_c is not None:
        others = reasons.others_c
        beside = f" (the others at most {figures.degrees(others)})" if others is not None else ""
        yield f"hot, at {figures.degrees(reasons.hot_c)}{beside}"


def _trouble(trouble: Trouble) -> str:
    return f"{_WAS[trouble.state]} for {words.duration(trouble.lasted_s)}"


def _around(found: Finding, book: Book) -> str:
    """The time it speaks of, with as much again around it."""
    begin, end = at_of(found.begins_s), at_of(found.ends_s)
    around = max((end - begin) / 2, timedelta(minutes=5))
    until = min(end + around, book.window.until)
    window = Window(begin - around, until, None, is_live=False)
    asked = replace(book.asked, window=window, by=By.MACHINE)
    if found.machine not in book.machines:
        asked = replace(asked, picked=(found.machine,))
    return asked.address()
