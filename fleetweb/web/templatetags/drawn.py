"""Thousands of cells at once, which a template's own loops would take too long for."""

import msgspec
from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from ..cards.history import HistoryCard
from ..cards.history.bands import BandCard, CellCard
from ..cards.history.tables import RowCard, TableCard

register = template.Library()

_IN_A_SCRIPT = {">": "\\u003E", "<": "\\u003C", "&": "\\u0026"}
# Characters that no figure has: everything is escaped in one go, and becomes cells and rows after.
CELL, HEAD, ROW = "\x1f", "\x1e", "\x1d"


@register.simple_tag
def figures_of(table: TableCard) -> SafeString:
    """`table` as HTML, its times as headings of their rows."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in ("Time", *table.heads))
    rows = str(escape(ROW.join(map(_row, table.rows))))
    cells = rows.replace(CELL, "</td><td>").replace(HEAD, "</th><td>")
    body = cells.replace(ROW, '</td></tr><tr><th scope="row">')
    opened = f'<tr><th scope="row">{body}</td></tr>' if table.rows else ""
    return mark_safe(  # noqa: S308  every cell is escaped
        f"<table><thead><tr>{heads}</tr></thead><tbody>{opened}</tbody></table>"
    )


@register.simple_tag
def cells_of(band: BandCard) -> SafeString:
    """What a machine did, as rectangles in seconds from the first point of the grid."""
    return mark_safe("".join(map(_cell, band.cells)))  # noqa: S308  numbers and our own words


@register.simple_tag
def drawing_of(card: HistoryCard) -> SafeString:
    """What the charts' script draws, as `json_script` writes it, which takes ten times as long."""
    told = msgspec.json.encode(card.drawing).decode()
    for letter, escaped in _IN_A_SCRIPT.items():
        told = told.replace(letter, escaped)
    return mark_safe(f'<script id="history-drawing" type="application/json">{told}</script>')  # noqa: S308  escaped


def _row(row: RowCard) -> str:
    return f"{row.at}{HEAD}{CELL.join(row.cells)}"


def _cell(cell: CellCard) -> str:
    return (
        f'<rect x="{cell.x}" width="{cell.width}" y="{cell.y}" height="{cell.height}" '
        f'data-state="{cell.state}" data-tone="{cell.tone}"><title>{cell.told}</title></rect>'
    )
