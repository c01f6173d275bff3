"""The room in a real browser: readable by all, still while it changes, honest when it is old."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from fleetweb.core.presence import FleetPresence
from fleetweb.web import fragments
from fleetweb.web.cards import RoomCard, room
from tests.browser.chromium import ARGUMENTS, executable
from tests.web import samples
from tests.web.samples import NOW, SAMPLES

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
AXE = next((ROOT / "tests" / "vendor").rglob("axe.min.js"))
POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'"


class Site(SimpleHTTPRequestHandler):
    """The samples as pages, under the policy of the real ones."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name not in SAMPLES:
            super().do_GET()
            return
        body = render_to_string("room/page.html", fragments.page_context(draw(SAMPLES[name]())))
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def do_HEAD(self) -> None:
        """Like the real one: the page, or the way to the login."""
        signed_out = self.path.endswith("?signed-out")
        self.send_response(302 if signed_out else 200)
        if signed_out:
            self.send_header("Location", "/login/")
        self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing: a failed test shows the page's own errors."""


def draw(presence: FleetPresence) -> RoomCard:
    return room(presence, NOW, owner=True)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(ROOT)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


class Room:
    """A page, and the server's end of its socket."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.faults: list[str] = []
        self.sockets: list[WebSocketRoute] = []
        self.shown: fragments.Fragments = {}
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)
        page.route_web_socket("**/ws/presence/", self._accept)
        page.clock.install(time=NOW - timedelta(seconds=1))
        page.clock.pause_at(NOW)

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def _accept(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)

    def open(self, name: str) -> "Room":
        self.page.goto(f"{self.site}/{name}")
        # The last of the modules has run, and the socket is open.
        expect(self.page.locator("#notify")).to_be_visible()
        expect(self.page.locator(".live[data-htmx-powered]")).to_be_visible()
        self.shown = fragments.render(draw(SAMPLES[name]()))
        self.beat()
        return self

    def push(self, presence: FleetPresence) -> None:
        after = fragments.render(draw(presence))
        self.sockets[-1].send(fragments.diff(self.shown, after))
        self.shown = after

    def beat(self, *, at: int = 0, watched: int | None = 0) -> None:
        """A beat `at` seconds after NOW that says when somebody last looked at the fleet."""
        seen = None if watched is None else (NOW + timedelta(seconds=watched)).isoformat()
        when = (NOW + timedelta(seconds=at)).isoformat()
        self.sockets[-1].send(json.dumps({"beat": at, "at": when, "watched_at": seen}))

    def sentence(self, text: str, where: str = "#node-king") -> None:
        expect(self.page.locator(f"{where} .sentence")).to_have_text(text)


Opening = Callable[..., Room]


@pytest.fixture
def opened(browser: Browser, site: str) -> Iterator[Opening]:
    rooms: list[Room] = []

    def open_room(name: str, **context: Any) -> Room:
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **context})
        rooms.append(Room(page, site).open(name))
        return rooms[-1]

    yield open_room
    for one in rooms:
        one.page.close()
        assert one.faults == []


def changed(presence: FleetPresence, name: str = "king", **load: Any) -> FleetPresence:
    """`presence` with one machine's load different."""
    nodes = tuple(
        replace(node, load=replace(node.load, **load)) if node.name == name else node
        for node in presence.nodes
    )
    return replace(presence, nodes=nodes)


# axe takes its time on large pages, and a crowd is the same machine sixty-four times.
READ = sorted(set(SAMPLES) - {"crowd"})


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_read_every_fleet(opened: Opening, scheme: str) -> None:
    one = opened(READ[0], color_scheme=scheme, reduced_motion="reduce")
    found: dict[str, list[str]] = {}
    for name in READ:
        one.open(name)
        one.page.clock.resume()  # axe waits for timers
        one.page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        one.page.evaluate(AXE.read_text())
        result = one.page.evaluate("axe.run()")
        found[name] = [
            f"{rule['id']}: {node['html'][:120]}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_fits_a_phone_without_scrolling_sideways(opened: Opening) -> None:
    one = opened("busy", viewport={"width": 360, "height": 780})
    for name in SAMPLES:
        one.open(name)
        width = one.page.evaluate("document.documentElement.scrollWidth")
        assert (name, width) == (name, 360)


@pytest.mark.parametrize("width", [900, 1200, 1440, 3840])
def test_machines_stay_inside_their_rows(opened: Opening, width: int) -> None:
    one = opened("busy", viewport={"width": width, "height": width * 9 // 16})
    for name in ("busy", "held_up", "waking", "many"):
        one.open(name)
        assert one.page.evaluate("document.documentElement.scrollWidth") == width
        overlaps = one.page.evaluate("""() => {
          const machines = [...document.querySelectorAll(".machine:not(.central)")];
          const tops = machines.map((machine) => machine.getBoundingClientRect());
          return machines.filter((machine, i) => {
            const bottom = machine.querySelector(".trail").getBoundingClientRect().bottom;
            return tops.some((t) => Math.abs(t.left - tops[i].left) < 5 && t.top > tops[i].top
              && t.top < bottom);
          }).map((machine) => machine.dataset.node);
        }""")
        assert (name, overlaps) == (name, [])


def test_lines_end_where_the_machines_are(opened: Opening) -> None:
    page = opened("busy").page
    for index, name in enumerate(("soldier1", "soldier2")):
        away = page.evaluate(
            """([index, name]) => {
              const line = document.querySelectorAll(".line")[index];
              const end = line.getPointAtLength(line.getTotalLength())
                .matrixTransform(line.getScreenCTM());
              const orb = document.querySelector(`[data-node="${name}"] .orb`)
                .getBoundingClientRect();
              return Math.hypot(orb.x + orb.width / 2 - end.x, orb.y + orb.height / 2 - end.y);
            }""",
            [index, name],
        )
        assert away < 2


BREATHS = """() => document.querySelector("#node-king").getAnimations({ subtree: true })
  .filter((a) => a.animationName === "breathe")"""


def test_a_push_does_not_break_the_breath(opened: Opening) -> None:
    one = opened("busy")
    one.page.evaluate(f"() => {{ window.before = ({BREATHS})(); }}")
    starts = one.page.evaluate("window.before.map((a) => a.startTime)")
    one.push(changed(samples.busy(), sentence="Processing: something else"))
    one.sentence("Processing: something else")
    assert one.page.evaluate(f"({BREATHS})().every((a, i) => a === window.before[i])")
    assert one.page.evaluate("window.before.map((a) => a.startTime)") == starts
    assert len(starts) == 4


def test_a_new_pace_goes_on_where_the_breath_was(opened: Opening) -> None:
    one = opened("busy")
    phases = f"""() => ({BREATHS})().map((a) => {{
      const {{ duration, delay }} = a.effect.getComputedTiming();
      return [duration, (((a.currentTime - delay) / duration) % 1 + 1) % 1];
    }})"""
    one.page.evaluate(f"() => Promise.all(({BREATHS})().map((a) => (a.pause(), a.ready)))")
    before = one.page.evaluate(phases)
    one.push(changed(samples.busy(), intensity=0.0, sentence="Calm."))
    one.sentence("Calm.")
    after = one.page.evaluate(phases)
    assert [round(pace) for pace, _ in before] == [2528] * 4
    assert [round(pace) for pace, _ in after] == [7000] * 4
    assert [at for _, at in after] == pytest.approx([at for _, at in before], abs=0.001)


def test_nobody_breathes_where_motion_is_not_wanted(opened: Opening) -> None:
    one = opened("busy", reduced_motion="reduce")
    assert one.page.evaluate("document.getAnimations().length") == 0


def test_evidence_stays_open_and_keeps_the_focus(opened: Opening) -> None:
    one = opened("busy")
    summary = one.page.locator("#node-king summary")
    summary.focus()
    one.page.keyboard.press("Enter")
    expect(one.page.locator("#node-king .facts")).to_be_visible()
    one.push(changed(samples.busy(), sentence="Processing: something else", evidence=()))
    one.sentence("Processing: something else")
    expect(one.page.locator("#node-king .facts")).to_be_visible()
    expect(summary).to_be_focused()


def test_evidence_stays_open_when_a_machine_joins(opened: Opening) -> None:
    one = opened("busy")
    one.page.locator("#node-king summary").click()
    crowd = samples.busy()
    one.push(replace(crowd, nodes=(*crowd.nodes, samples.node("drummer"))))
    expect(one.page.locator("#node-drummer")).to_be_visible()
    expect(one.page.locator("#node-king .facts")).to_be_visible()


def test_nothing_moves_as_figures_change(opened: Opening) -> None:
    one = opened("busy")
    where = """() => [...document.querySelectorAll(
      ".orb, .name, .vitals > div, .trail, #work, #ribbon, .fleet .sentence")]
      .map((e) => e.getBoundingClientRect()).map((r) => [r.x, r.y, r.width, r.height].join())"""
    before = one.page.evaluate(where)
    busy = samples.busy()
    for gpu, watts in ((1.0, 231.0), (0.0, 9.0)):
        nodes = []
        for node in busy.nodes:
            assert node.exo is not None
            exo = replace(node.exo, gpu_usage=gpu, power_w=watts, temperature_c=9 + 90 * gpu)
            load = replace(node.load, intensity=gpu)
            nodes.append(replace(node, exo=exo, load=load, trail=(gpu,) * 60))
        one.push(replace(busy, nodes=tuple(nodes)))
        expect(one.page.locator("#node-king .vitals div").nth(3)).to_contain_text(f"{watts:.0f} W")
        assert one.page.evaluate(where) == before


class TestConnection:
    LOST = "[data-trouble=lost]"
    UNWATCHED = "[data-trouble=unwatched]"

    def test_says_nothing_while_beats_come(self, opened: Opening) -> None:
        one = opened("busy")
        for second in range(1, 5):
            one.page.clock.run_for(1000)
            one.beat(at=second, watched=second)
            expect(one.page.locator("#seen")).to_have_text(f"14:32:{7 + second:02d}")
        expect(one.page.locator("#connection p:visible")).to_have_count(0)

    def test_says_so_when_nothing_comes_and_heals(self, opened: Opening) -> None:
        one = opened("busy")
        expect(one.page.locator("#seen")).to_have_attribute("datetime", NOW.isoformat())
        one.page.clock.run_for(3000)
        expect(one.page.locator(self.LOST)).to_contain_text("Showing what was seen at 14:32:07.")
        one.beat(at=3, watched=3)
        expect(one.page.locator(self.LOST)).to_be_hidden()

    def test_comes_back_by_itself_when_the_server_has_stopped(self, opened: Opening) -> None:
        one = opened("busy")
        one.sockets[-1].close(code=4012)
        expect(one.page.locator(self.LOST)).to_be_visible()
        while len(one.sockets) < 2:
            one.page.clock.run_for(500)
        one.shown = {}
        one.push(samples.doubting())
        one.sentence(f"Grappling with contradiction in: {samples.PREVIEW}")
        expect(one.page.locator(self.LOST)).to_be_hidden()

    def test_says_so_when_its_reader_is_signed_out(self, opened: Opening) -> None:
        one = opened("busy")
        one.page.evaluate("history.replaceState(null, '', '?signed-out')")
        one.sockets[-1].close(code=4012)
        expect(one.page.locator("[data-trouble=stranger] a")).to_have_attribute("href", "/login/")
        expect(one.page.locator(self.LOST)).to_be_hidden()

    def test_says_so_when_nobody_watches_the_fleet(self, opened: Opening) -> None:
        one = opened("busy")
        one.beat(at=9, watched=0)
        expect(one.page.locator(self.UNWATCHED)).to_contain_text("silent since 14:32:07")
        one.beat(at=10, watched=10)
        expect(one.page.locator(self.UNWATCHED)).to_be_hidden()

    def test_says_so_when_nobody_has_looked_yet(self, opened: Opening) -> None:
        one = opened("nobody")
        one.beat(at=1, watched=None)
        expect(one.page.locator("[data-trouble=unseen]")).to_be_visible()


def test_the_tab_says_how_the_fleet_is(opened: Opening) -> None:
    one = opened("idle")
    expect(one.page).to_have_title("The fleet is present and waiting for you. · fleetweb")
    one.push(samples.busy())
    expect(one.page).to_have_title("Deep thinking in progress... · fleetweb")
    icon = one.page.locator("#favicon")
    expect(icon).to_have_attribute("href", "/static/favicon/thinking.svg")
    one.push(samples.held_up())
    expect(icon).to_have_attribute("href", "/static/favicon/hurt.svg")


def test_elapsed_times_tick_without_the_server(opened: Opening) -> None:
    one = opened("busy")
    time = one.page.locator("#node-king time[data-since]")
    expect(time).to_have_text("for 97 s")
    one.page.clock.run_for(2000)
    expect(time).to_have_text("for 99 s")
    one.page.clock.run_for(60_000)
    expect(time).to_have_text("for 2 min")


class TestNotifications:
    TOLD = "() => window.told"

    def listen(self, opened: Opening) -> Room:
        """A room whose notifications are kept in a list, asked for by its reader."""
        one = opened("busy", permissions=["notifications"])
        one.page.evaluate("""() => {
          window.told = [];
          window.Notification = class {
            static permission = "granted";
            static requestPermission = async () => "granted";
            constructor(title, { body }) { window.told.push(`${title}: ${body}`); }
          };
        }""")
        one.page.locator("#notify").click()
        expect(one.page.locator("#notify")).to_have_attribute("aria-pressed", "true")
        return one

    def test_tells_when_a_machine_goes_quiet_and_is_back(self, opened: Opening) -> None:
        one = self.listen(opened)
        one.push(samples.held_up())
        one.sentence("Gone quiet 12 s ago. exo still counts it in.", "#node-soldier2")
        assert one.page.evaluate(self.TOLD) == [
            "soldier2: Gone quiet 12 s ago. exo still counts it in."
        ]
        one.push(samples.busy())
        one.sentence(f"Processing: {samples.PREVIEW}", "#node-soldier2")
        assert one.page.evaluate(self.TOLD)[1:] == [
            f"soldier2: Back. Processing: {samples.PREVIEW}"
        ]

    def test_tells_nothing_of_everyday_work(self, opened: Opening) -> None:
        one = self.listen(opened)
        one.push(samples.doubting())
        one.sentence(f"Grappling with contradiction in: {samples.PREVIEW}")
        assert one.page.evaluate(self.TOLD) == []
