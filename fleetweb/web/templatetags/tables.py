"""Tables of many thousand cells, which a template's own loops would take too long for."""

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from ..cards.history.tables import TableCard

register = template.Library()


@register.simple_tag
def figures_of(table: TableCard) -> SafeString:
    """`table` as HTML, its times as headings of their rows."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in ("Time", *table.heads))
    rows = "".join(
        f'<tr><th scope="row">{escape(row.at)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in row.cells)}</tr>"
        for row in table.rows
    )
    return mark_safe(  # noqa: S308  every cell is escaped
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
