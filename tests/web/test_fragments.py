"""The room as HTML: stable roots, the same each time, nobody's script."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.loader import render_to_string

from fleetweb.web import fragments
from fleetweb.web.cards import RoomCard, room

from . import samples
from .samples import NOW, SAMPLES

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
EVERY_TEMPLATE = sorted(TEMPLATES.rglob("*.html"))


def draw(name: str, *, owner: bool = True) -> RoomCard:
    return room(SAMPLES[name](), NOW, owner=owner)


def page(name: str) -> str:
    return render_to_string("room/page.html", fragments.page_context(draw(name)))


class Reader(HTMLParser):
    """Every tag with its attributes, and how many roots there are."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.roots = self.depth = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.roots += self.depth == 0
        self.depth += tag not in self.VOID

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, _tag: str) -> None:
        self.depth -= 1

    @property
    def ids(self) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get("id"))]


@pytest.mark.parametrize("name", SAMPLES)
class TestEveryFleet:
    def test_every_piece_has_one_root_with_its_id(self, name: str) -> None:
        for root, html in fragments.render(draw(name)).items():
            reader = Reader(html)
            assert (reader.roots, reader.depth) == (1, 0)
            assert reader.tags[0][1]["id"] == root

    def test_ids_are_unique_in_the_page(self, name: str) -> None:
        ids = Reader(page(name)).ids
        assert len(ids) == len(set(ids))

    def test_the_page_is_made_of_the_same_pieces(self, name: str) -> None:
        html = page(name)
        assert all(piece in html for piece in fragments.render(draw(name)).values())

    def test_is_the_same_each_time(self, name: str) -> None:
        first = fragments.render(draw(name))
        fragments._piece.cache_clear()
        assert fragments.render(draw(name)) == first

    def test_brings_no_style_and_no_script_of_its_own(self, name: str) -> None:
        for tag, attrs in Reader(page(name)).tags:
            assert tag != "style"
            assert not [key for key in attrs if key == "style" or key.startswith("on")]
            if tag == "script":
                assert (attrs.get("src") or "").startswith("/static/")


def test_a_machine_carries_what_others_rely_on() -> None:
    html = fragments.render(draw("busy"))["node-soldier1"]
    tag, attrs = Reader(html).tags[0]
    assert tag == "article"
    assert attrs["data-node"] == "soldier1"
    assert attrs["data-state"] == "processing"
    assert attrs["data-intensity"] == "0.62"
    assert 'class="sentence"' in html


@pytest.mark.parametrize("name", ["busy", "gateway", "doubting", "held_up"])
def test_others_than_the_owner_see_no_prompt(name: str) -> None:
    assert "garden" in "".join(fragments.render(draw(name)).values())
    unseen = "".join(fragments.render(draw(name, owner=False)).values())
    assert "garden" not in unseen
    assert "rhymes" not in unseen


def test_hostile_names_stay_text() -> None:
    html = page("hostile")
    tags = Reader(html).tags
    assert not [tag for tag, _ in tags if tag in ("img", "b")]
    assert not [tag for tag, attrs in tags if tag == "script" and "src" not in attrs]
    assert "{{ 7|add:7 }}" in html
    names = {attrs["data-node"] for tag, attrs in tags if tag == "article"}
    assert names == set(samples.HOSTILE)


def test_hostile_words_do_not_end_a_push() -> None:
    message = fragments.diff({}, fragments.render(draw("hostile")))
    assert message.count("<hx-partial") == message.count("</hx-partial>") == 1


class TestDiff:
    def test_says_nothing_where_nothing_changed(self) -> None:
        pieces = fragments.render(draw("busy"))
        assert fragments.diff(pieces, dict(pieces)) == ""

    def test_brings_only_what_changed(self) -> None:
        before, after = draw("busy"), draw("doubting")
        message = fragments.diff(fragments.render(before), fragments.render(after))
        roots = re.findall(r'<hx-partial hx-target="#([^"]+)" hx-swap="outerMorph">', message)
        assert roots == ["fleet", "lines", "node-king", "node-soldier1", "node-soldier2", "work"]

    def test_brings_the_whole_room_at_first(self) -> None:
        after = fragments.render(draw("busy"))
        message = fragments.diff({}, after)
        assert message.startswith(
            '<hx-partial hx-target="#room" hx-swap="outerMorph"><div id="room">'
        )
        assert all(piece in message for piece in after.values())

    def test_brings_the_whole_room_when_a_machine_joins(self) -> None:
        before = samples.busy()
        fewer = room(replace(before, nodes=before.nodes[:-1]), NOW, owner=True)
        message = fragments.diff(fragments.render(fewer), fragments.render(draw("busy")))
        assert 'hx-target="#room"' in message
        assert 'id="node-soldier3"' in message

    def test_time_alone_changes_nothing(self) -> None:
        presence = samples.busy()
        later = NOW + timedelta(seconds=2)
        before = fragments.render(room(presence, NOW, owner=True))
        after = fragments.render(room(replace(presence, at=later), later, owner=True))
        assert fragments.diff(before, after) == ""


def test_a_machine_never_seen_tells_no_time_and_no_figures() -> None:
    html = fragments.render(draw("never_seen"))["node-king"]
    assert "Not here yet" in html
    assert "<time" not in html
    assert 'class="body"' not in html


def test_a_rehearsal_says_so_and_how_to_end_it() -> None:
    html = fragments.render(draw("rehearsal"))["rehearsal"]
    assert "Rehearsal fleet: no real machines" in html
    assert "python manage.py serve --exo http://king.local:52415" in html
    assert "FLEETWEB_EXO_URLS" in html


def test_a_real_fleet_says_nothing_of_rehearsals() -> None:
    assert "Rehearsal" not in page("busy")


@pytest.mark.parametrize("template", EVERY_TEMPLATE, ids=lambda path: path.name)
def test_templates_keep_to_the_content_policy(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert not re.search(r"hx-on|hx-trigger=.*\[|=[\"']js:", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
