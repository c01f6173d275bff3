"""What models write, as HTML: readable where it is well meant, harmless where it is not."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.web.playground.blocks import LONGEST, Blocks, blocks_of
from fleetweb.web.playground.markdown import plain, rendered

SCHEMES = ("http://", "https://", "mailto:")


class Tags(HTMLParser):
    """The tags that a browser would see, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harms(html: str) -> list[str]:
    """Everything in `html` that could act, load or style by itself."""
    found = []
    for tag, attributes in Tags(html).found:
        if tag in {"script", "style", "img", "iframe", "form", "input", "svg", "link", "meta"}:
            found.append(tag)
        found += [name for name in attributes if name.startswith("on") or name in {"style", "src"}]
        href = attributes.get("href")
        if href is not None and not href.startswith(SCHEMES):
            found.append(href)
    return found


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "![x](javascript:alert(1))",
    "![x](https://example.org/pixel.png)",
    '![x](https://example.org/a.png "t\\" onerror=alert(1)")',
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x](/logout/)",
    "[x](//example.org/a)",
    '```"><script>alert(1)</script>\ncode\n```',
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "| <script> | b |\n|--|--|\n| <img src=x onerror=y> | c |",
    "<style>*{display:none}</style>",
    "<!-- --!><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "\x00<scr\x00ipt>alert(1)</script>",
    '<div class="standing" id="composer">',
    '<form action="/playground/delete/"><button name="all">',
]


@pytest.mark.parametrize("source", HOSTILE)
def test_hostile_text_does_no_harm(source):
    assert harms(rendered(source)) == []
    assert harms(plain(source)) == []


@given(st.text(alphabet="<>\"'`[]()!|#*_~-=&;:/\\ \n\tajvscriptonerd\u202e\u2066", max_size=300))
def test_no_text_at_all_does_harm(source):
    assert harms(rendered(source)) == []


def test_links_tell_their_host_nothing_and_open_beside():
    ((_, link),) = [t for t in Tags(rendered("[a](https://example.org/b)")).found if t[0] == "a"]
    assert set(link["rel"].split()) == {"noopener", "noreferrer", "nofollow"}
    assert link["target"] == "_blank"


def test_pictures_from_elsewhere_are_links():
    html = rendered("![a map](https://example.org/map.png)")
    assert 'href="https://example.org/map.png"' in html
    assert "a map" in html


def test_code_is_highlighted_by_classes_alone():
    html = rendered("```python\ndef f(): pass\n```")
    assert '<span class="k">def</span>' in html
    assert "data-copy-code" in html
    assert "style" not in html


def test_code_of_an_unknown_language_is_shown_as_it_is():
    assert "<code>1 &lt; 2\n</code>" in rendered("```klingon\n1 < 2\n```")


def test_headings_stand_below_those_of_the_page():
    assert rendered("# A\n###### B").count("<h3") == 1
    assert "<h6" in rendered("###### B")


def test_signs_that_turn_the_direction_of_code_are_shown():
    html = rendered("```\nif admin\u202e {\n```\n\nand `a\u2066b`")
    assert "⟦U+202E⟧" in html
    assert "⟦U+2066⟧" in html
    assert "\u202e" not in html


def test_every_paragraph_finds_its_own_direction():
    html = rendered("שלום\n\nhello\n\n- مرحبا")
    assert html.count('dir="auto"') == html.count("<p") + html.count("<li") >= 3


def test_tables_scroll_in_their_own_box():
    html = rendered("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert html.startswith('<div class="scroll" role="region" tabindex="0"')
    assert 'class="right"' in html


def test_a_table_wider_than_anybody_reads_is_shown_as_it_was_written():
    row = "a|" * 3000
    html = rendered(f"{row}\n{'-|' * 3000}\n")
    assert "<table" not in html
    assert row in html


class TestBlocks:
    def test_paragraphs_are_blocks_and_the_last_one_is_open(self):
        blocks = Blocks()
        blocks.feed("One.\n\nTwo.\n\nThr")
        assert blocks.finished == ["One.\n\n", "Two.\n\n"]
        assert blocks.tail == "Thr"

    def test_code_is_not_cut_at_its_empty_lines(self):
        assert len(blocks_of("```\na\n\nb\n\n\nc\n```\n")) == 1

    def test_a_fence_of_another_kind_does_not_end_code(self):
        assert len(blocks_of("~~~\na\n```\n\nb\n~~~\n")) == 1

    def test_what_is_indented_belongs_to_what_is_above(self):
        assert len(blocks_of("- a\n\n  more of a\n\n    code\n")) == 1

    def test_a_megabyte_in_one_token_becomes_blocks_of_bounded_size(self):
        text = "word " * 200_000
        found = blocks_of(text)
        assert max(map(len, found)) <= LONGEST
        assert "".join(found) == text

    def test_a_megabyte_without_a_blank_is_cut_all_the_same(self):
        found = blocks_of("x" * 1_000_000)
        assert max(map(len, found)) <= LONGEST
        assert "".join(found) == "x" * 1_000_000

    def test_code_that_is_too_long_goes_on_as_code(self):
        found = blocks_of("```python\n" + "x = 1\n" * 5000 + "```\nafter\n")
        assert len(found) > 2
        assert all(block.startswith("```python\n") for block in found)
        assert all("data-copy-code" in rendered(block) for block in found)
        assert found[-1].endswith("after\n")

    def test_a_table_that_is_too_long_goes_on_as_a_table(self):
        found = blocks_of("| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 3000)
        assert len(found) > 2
        assert all("<th " in rendered(block) for block in found)

    def test_blanks_alone_are_no_block(self):
        assert blocks_of("\n\n \n\n") == []

    @given(
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "\n",
                    "\n\n",
                    "```",
                    "~~~",
                    "```py\n",
                    "| a | b |\n",
                    "|-|-|\n",
                    "  ",
                    "x" * 900,
                ]
            ),
            max_size=120,
        ),
        st.lists(st.integers(1, 4000), max_size=40),
        st.booleans(),
    )
    def test_the_cuts_depend_on_the_text_alone(self, pieces, lengths, markdown):
        text = "".join(pieces)
        whole, piecemeal = Blocks(markdown=markdown), Blocks(markdown=markdown)
        whole.feed(text)
        rest = text
        for length in lengths:
            before = list(piecemeal.finished)
            piecemeal.feed(rest[:length])
            assert piecemeal.finished[: len(before)] == before
            rest = rest[length:]
        piecemeal.feed(rest)
        assert piecemeal.finished == whole.finished
        assert piecemeal.tail == whole.tail
