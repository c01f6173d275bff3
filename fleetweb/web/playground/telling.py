"""Answers as HTML: the pieces that change while they grow, and the messages that bring them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.template.loader import render_to_string

from . import cards
from .blocks import Blocks
from .markdown import plain, rendered
from .standing import Standing

MESSAGE_CHARS: Final = 64_000  # about so much HTML goes into one message, so no page freezes

Html = list[str]


def group_of(run_id: str) -> str:
    """Who follows a run."""
    return f"playground-{run_id}"


def pieces(answer_id: int, standing: Standing, now: datetime) -> dict[str, str]:
    """What stands beside the text, by the id of its root."""
    drawn = (
        ("head", "playground/_head.html", cards.head(answer_id, standing, now)),
        ("mind", "playground/_mind.html", cards.mind(answer_id, standing)),
        ("figures", "playground/_figures.html", cards.measures(answer_id, standing)),
    )
    return {
        f"a{answer_id}-{name}": render_to_string(template, {"card": card}).strip()
        for name, template, card in drawn
    }


def rendered_blocks(sources: Iterable[str], markdown: bool) -> Html:
    render = rendered if markdown else plain
    return [f'<div class="block">{render(source)}</div>' for source in sources]


def rendered_tail(source: str, markdown: bool) -> str:
    return (rendered if markdown else plain)(source) if source.strip() else ""


def rendered_text(text: str, *, markdown: bool) -> tuple[Html, str]:
    """The finished blocks of a text that was stored, and its tail."""
    blocks = Blocks(markdown=markdown)
    blocks.feed(text)
    return rendered_blocks(blocks.finished, markdown), rendered_tail(blocks.tail, markdown)


def replaced(root: str, html: str) -> str:
    return f'<hx-partial hx-target="#{root}" hx-swap="outerMorph">{html}</hx-partial>'


def exchanged(root: str, html: str) -> str:
    """Anew, with what was typed into it gone."""
    return f'<hx-partial hx-target="#{root}" hx-swap="outerHTML">{html}</hx-partial>'


def filled(root: str, html: str) -> str:
    return (
        f'<hx-partial hx-target="#{root}" hx-swap="innerMorph swapEmpty:true">{html}</hx-partial>'
    )


def appended(root: str, html: str) -> str:
    return f'<hx-partial hx-target="#{root}" hx-swap="beforeend">{html}</hx-partial>'


def in_messages(parts: Iterable[str]) -> Iterable[str]:
    """`parts` joined into messages of bounded size; one that is larger goes alone."""
    message = ""
    for part in parts:
        if message and len(message) + len(part) > MESSAGE_CHARS:
            yield message
            message = ""
        message += part
    if message:
        yield message


def growth(
    answer_id: int, name: str, told: Mapping[str, Any], shown: int
) -> tuple[Sequence[str], int] | None:
    """The parts that a page with `shown` blocks lacks, and how many it has then.

    None where blocks between are missing: then the page needs the whole.
    """
    start, blocks = told["from"], told["blocks"]
    if start > shown:
        return None
    root = f"a{answer_id}-{name}"
    parts = [appended(root, html) for html in blocks[shown - start :]]
    return [*parts, filled(f"{root}-tail", told["tail"])], max(shown, start + len(blocks))
