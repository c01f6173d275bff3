"""The room as HTML, piece by piece: each piece has one root with a stable id.

The page includes these pieces and the socket pushes them, from the same templates.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from .cards.room import RoomCard

MACHINE_PREFIX = "node-"

Fragments = dict[str, SafeString]


def render(room: RoomCard) -> Fragments:
    """Every piece by the id of its root, in the order of the page. Equal rooms give equal HTML."""
    return {root: _piece(template, card) for root, template, card in _pieces(room)}


def diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The socket's message that turns `before` into `after`; "" where nothing changed.

    Where machines came or went, and for a first snapshot (`diff({}, after)`), it is the whole room.
    """
    if list(before) != list(after):
        return _morph("room", _whole(after))
    return "".join(_morph(root, html) for root, html in after.items() if before[root] != html)


def page_context(room: RoomCard) -> dict[str, object]:
    """What the page's template `room/page.html` needs."""
    return {"room": _by_place(render(room)), "at": room.at, "fleet": room.fleet}


def _pieces(room: RoomCard) -> Iterator[tuple[str, str, object]]:
    yield "rehearsal", "room/_rehearsal.html", room.rehearsal
    yield "fleet", "room/_fleet.html", room.fleet
    yield "notices", "room/_notices.html", room.notices
    yield "lines", "room/_lines.html", room.stage
    for machine in room.machines:
        yield machine.id, "room/_machine.html", machine
    yield "waiting", "room/_waiting.html", room.holds.waiting
    yield "work", "room/_work.html", room.holds.in_thought
    yield "answered", "room/_answered.html", room.holds.answered
    yield "ribbon", "room/_ribbon.html", room.ribbon


@lru_cache(maxsize=512)
def _piece(template: str, card: object) -> SafeString:
    """Cards are values: one that is unchanged is not rendered again."""
    return mark_safe(render_to_string(template, {"card": card}).strip())  # noqa: S308  our template


def _whole(fragments: Mapping[str, str]) -> str:
    return render_to_string("room/_room.html", {"room": _by_place(fragments)}).strip()


def _by_place(fragments: Mapping[str, str]) -> dict[str, object]:
    """The pieces by name, and those of the machines together."""
    pieces = {root: mark_safe(html) for root, html in fragments.items()}  # noqa: S308  rendered above
    machines = [html for root, html in pieces.items() if root.startswith(MACHINE_PREFIX)]
    return {**pieces, "machines": machines}


def _morph(root: str, html: str) -> str:
    """Without a blank around it: htmx would insert the blank into the page at every push."""
    return f'<hx-partial hx-target="#{root}" hx-swap="outerMorph">{html}</hx-partial>'
