"""The history in a real browser: found, zoomed, read without a mouse, without scripts, by all."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, executable
from tests.processes import TOKEN, Process

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
AXE = next((ROOT / "tests" / "vendor").rglob("axe.min.js"))
NOBODY = "http://127.0.0.1:9"
SEED = """
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from tests.web import pasts
call_command("migrate", verbosity=0)
pasts.a_slow_hour(timezone.now())
"""

Opening = Callable[..., Page]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a past in which soldier2 was slow for an hour."""
    data = tmp_path_factory.mktemp("past")
    told = {"FLEETWEB_DATA": str(data), "DJANGO_SETTINGS_MODULE": "fleetweb.settings"}
    subprocess.run([sys.executable, "-c", SEED], env={**os.environ, **told}, cwd=ROOT, check=True)
    with Process.manage("serve", "--port", "0", "--exo", NOBODY, data=data) as server:
        yield server.address()
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Opening]:
    """Opens a page as the owner. What the console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: str, **options: Any) -> Page:
        size = {"width": 1440, "height": 900}
        context = browser.new_context(**{"viewport": size, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}{path}{'&' if '?' in path else '?'}token={TOKEN}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_newcomer_finds_who_was_slow_and_why(opened: Opening) -> None:
    page = opened("/")
    page.get_by_role("link", name="History").click()
    found = page.locator("#findings article").first
    expect(found).to_contain_text("soldier2 took 3.")
    expect(found).to_contain_text("gone quiet for 4 min and hot, at 92 °C")
    found.get_by_role("link", name="Look at that time").click()
    expect(page.locator("#chart-ttft canvas")).to_be_visible()
    expect(page.locator("#bands")).to_contain_text("soldier2")


def test_every_chart_is_drawn_and_its_cursor_is_every_chart_s(opened: Opening) -> None:
    page = opened("/history/?range=6h")
    expect(page.locator(".plot canvas")).to_have_count(10)
    page.locator("#chart-latency .u-over").hover()
    expect(page.locator("#reading")).to_contain_text("soldier2 ")
    expect(page.locator("#chart-power output").first).to_have_text("180 W")
    expect(page.locator("#chart-gpu .u-cursor-pt").first).to_be_visible()


def strips(page: Page) -> list[float]:
    """How much of its width is drawn of what the machines did, under each chart."""
    drawn: list[float] = page.evaluate(
        """() => [...document.querySelectorAll(".strip")].map((strip) => {
            const width = (node) => node.getBoundingClientRect().width;
            return Math.round(100 * width(strip.querySelector("use")) / width(strip)) / 100;
        })"""
    )
    return drawn


def test_what_the_machines_did_is_under_every_chart(opened: Opening) -> None:
    page = opened("/history/?range=15m")
    expect(page.locator(".plot canvas").first).to_be_visible()
    before = strips(page)
    assert before
    assert all(0.95 <= part <= 1 for part in before)
    with page.expect_response("**piece=now", timeout=20_000) as answer:
        assert answer.value.ok
    assert strips(page) == pytest.approx(before, abs=0.02)


def test_a_stretch_that_is_dragged_is_in_the_address(opened: Opening) -> None:
    page = opened("/history/?range=6h&p=p50")
    plot = page.locator("#chart-latency .u-over")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=*")
    assert "p=p50" in page.url
    assert "range" not in page.url
    expect(page.locator(".charts .hint").first).to_contain_text("One point is 1 minute.")
    page.go_back()
    page.wait_for_url("**range=6h*")


def test_it_is_read_with_the_keyboard_alone(opened: Opening) -> None:
    page = opened("/history/?range=6h")
    page.locator("#chart-latency .plot").focus()
    before = page.locator("#reading").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#reading")).not_to_have_text(before)
    first = page.locator("#reading").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#reading")).not_to_have_text(first)


def test_a_table_is_loaded_as_it_is_opened_with_the_keyboard(opened: Opening) -> None:
    page = opened("/history/?range=6h")
    expect(page.locator("#table-2 .note")).to_contain_text("rows of 5 minutes")
    expect(page.locator("#tables table")).to_have_count(0)
    page.locator("#table-2 summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table-2 table")).to_contain_text("gone quiet")
    expect(page.locator("#table-2 summary")).to_be_focused()
    expect(page.locator("#tables table")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#table-2 table")).to_be_hidden()


def test_without_scripts_the_tables_have_everything(opened: Opening) -> None:
    page = opened("/history/?range=6h", java_script_enabled=False)
    expect(page.locator("#findings article").first).to_contain_text("soldier2 took 3.")
    expect(page.locator("#tables table")).to_have_count(0)
    page.locator("#table-2 summary").click()
    page.get_by_role("link", name="Show the figures of soldier2").click()
    expect(page.locator("#table-2 table")).to_contain_text("gone quiet")
    expect(page.locator("#table-2")).to_be_in_viewport()
    expect(page.locator("#tables table")).to_have_count(1)
    expect(page.locator("#bands rect").first).to_be_attached()


def test_the_right_edge_goes_on_while_somebody_looks(opened: Opening) -> None:
    page = opened("/history/?range=15m")
    page.locator("#table-0 summary").click()
    expect(page.locator("#table-0 table")).to_be_visible()
    page.evaluate("document.querySelector('#table-0 tbody').replaceChildren()")
    with page.expect_response("**piece=now", timeout=20_000) as answer:
        assert answer.value.ok
    expect(page.locator(".plot canvas").first).to_be_visible()
    expect(page.locator("#table-0 tbody tr").first).to_be_visible()
    expect(page.locator("#tables table")).to_have_count(1)


def test_lines_are_drawn_again_in_the_colours_of_the_night(opened: Opening) -> None:
    page = opened("/history/?range=6h", color_scheme="light")
    canvas = page.locator("#chart-latency canvas")
    by_day = canvas.evaluate("(c) => c.toDataURL()")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#chart-latency canvas")).to_be_visible()
    page.wait_for_function(
        "(old) => document.querySelector('#chart-latency canvas')?.toDataURL() !== old", arg=by_day
    )


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_read_it(opened: Opening, scheme: str) -> None:
    found = {}
    for path in ("/history/?range=6h", "/nodes/soldier2/?by=model", "/history/?by=provider&from=x"):
        page = opened(path, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        tables = page.locator("#tables details")
        expect(page.locator("#tables table")).to_have_count(tables.count())
        page.evaluate(AXE.read_text())
        result = page.evaluate("axe.run()")
        found[path] = [
            f"{rule['id']}: {node['html'][:120]}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_it_fits_a_phone_without_scrolling_sideways(opened: Opening) -> None:
    for path in ("/history/?range=6h", "/nodes/soldier2/", "/history/?by=model&range=7d"):
        page = opened(path, viewport={"width": 360, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_nothing_moves_as_the_cursor_does(opened: Opening) -> None:
    page = opened("/history/?range=6h")
    expect(page.locator(".plot canvas")).to_have_count(10)
    where = """() => [...document.querySelectorAll(".chart, .readout, #bands")]
      .map((e) => e.getBoundingClientRect()).map((r) => [r.y, r.height].join())"""
    page.locator("#chart-latency").scroll_into_view_if_needed()
    before = page.evaluate(where)
    page.locator("#chart-latency .u-over").hover()
    expect(page.locator("#reading")).to_contain_text("soldier2 ")
    assert page.evaluate(where) == before
