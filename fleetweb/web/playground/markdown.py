"""What a model wrote, as HTML that can do no harm.

Markdown's own HTML is off, so what a model writes as tags is shown as text. What comes out is
sanitised all the same, once, by a list of what is allowed.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HEADINGS_BELOW: Final = 2  # the page's own headings stand above those of an answer
LONGEST_HIGHLIGHTED: Final = 8_000
LONGEST_LABEL: Final = 24
COLUMNS_AT_MOST: Final = 100  # every row of a table is filled up to the width of its head
NESTED_AT_MOST: Final = 20
# Where one of them is left open, what stands after it is read in the wrong order.
_DIRECTIONS: Final = {
    code: f"⟦U+{code:04X}⟧" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

_ALLOWED: Final[dict[str, set[str]]] = {
    "a": {"href", "title", "class"},
    "button": {"type", "class", "data-copy-code"},
    "code": {"dir"},
    "div": {"class", "role", "tabindex", "aria-label"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "span": {"class"},
    **{tag: {"dir"} for tag in ("p", "li", "blockquote", "h3", "h4", "h5", "h6")},
    **{tag: {"dir", "class"} for tag in ("th", "td")},
    **{tag: set() for tag in ("em", "strong", "s", "ul", "hr", "br", "table", "thead")},
    **{tag: set() for tag in ("tbody", "tr", "bdi")},
}
_cleaner: Final = nh3.Cleaner(
    tags=set(_ALLOWED),
    attributes=_ALLOWED,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",  # no model has a reason to lead into our own pages
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}, "button": {"type": "button"}},
    strip_comments=True,
)
_formatter: Final = HtmlFormatter(nowrap=True)


@lru_cache(maxsize=256)
def rendered(source: str) -> SafeString:
    """One block of markdown as HTML; a table wider than anybody reads as it was written."""
    if any(line.count("|") > COLUMNS_AT_MOST for line in source.splitlines()):
        return plain(source)
    return mark_safe(_cleaner.clean(_markdown.render(source)))  # noqa: S308  cleaned just now


@lru_cache(maxsize=64)
def plain(source: str) -> SafeString:
    """One block of text as it is, with its lines and blanks kept by the style sheet."""
    return mark_safe(f'<p class="verbatim" dir="auto">{escape(source.strip(chr(10)))}</p>')  # noqa: S308  escaped


class _Renderer(RendererHTML):
    """Each public method renders the token of its name."""

    def renderToken(  # noqa: N802  markdown-it's name
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        token = tokens[idx]
        if token.nesting == 1 and token.tag in _DIRECTED:
            token.attrSet("dir", "auto")
        if token.attrGet("style"):  # how markdown-it aligns a cell
            token.attrSet("class", str(token.attrGet("style")).removeprefix("text-align:"))
        return super().renderToken(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        tokens[idx].tag = _lowered(tokens[idx].tag)
        return f'<{tokens[idx].tag} dir="auto">'

    def heading_close(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        return f"</{_lowered(tokens[idx].tag)}>\n"

    def table_open(self, *_rest: Any) -> str:
        return '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table>\n'

    def table_close(self, *_rest: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        return _code(tokens[idx].content, tokens[idx].info.strip().partition(" ")[0])

    def code_block(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        return _code(tokens[idx].content, "")

    def code_inline(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        return f'<code dir="auto">{escape(_visible(tokens[idx].content))}</code>'

    def image(self, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
        """A link: a picture from elsewhere would tell its host who reads, and when."""
        token = tokens[idx]
        address = str(token.attrGet("src") or "")
        words = token.content.strip() or address
        return f'<a class="picture" href="{escape(address)}"><bdi>{escape(words)}</bdi></a>'


_DIRECTED: Final = frozenset({"p", "li", "blockquote", "th", "td"})
_markdown: Final = MarkdownIt(
    "commonmark", {"html": False, "maxNesting": NESTED_AT_MOST}, renderer_cls=_Renderer
).enable(["table", "strikethrough"])


def _lowered(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + HEADINGS_BELOW)}"


def _code(source: str, language: str) -> str:
    source = _visible(source)
    label = escape(language[:LONGEST_LABEL]) or "code"
    return (
        f'<div class="code"><div class="over"><span>{label}</span>'
        '<button type="button" data-copy-code class="small">Copy</button></div>'
        f'<pre tabindex="0"><code>{_highlighted(source, language)}</code></pre></div>\n'
    )


def _visible(source: str) -> str:
    """Code reads in the order it runs in: signs that turn the direction are shown, not obeyed."""
    return source.translate(_DIRECTIONS)


def _highlighted(source: str, language: str) -> str:
    lexer = _lexer(language) if len(source) <= LONGEST_HIGHLIGHTED else None
    return str(highlight(source, lexer, _formatter)) if lexer else escape(source)


@lru_cache(maxsize=128)
def _lexer(language: str) -> Lexer | None:
    """By the name that the model gave; guessing would take long, and be wrong."""
    if not language:
        return None
    try:
        return get_lexer_by_name(language[:LONGEST_LABEL].lower(), stripnl=False)
    except ClassNotFound:
        return None
