"""Icons from the one sprite."""

from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

SPRITE = "vendor/lucide-1.62.0/icons.svg"


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """The symbol `name` as an SVG that says nothing to a screen reader: words stand beside it."""
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><use href="{}#{}"/></svg>',
        static(SPRITE),
        name,
    )
