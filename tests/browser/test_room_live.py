"""The control room while things happen, in a real browser before the real server."""

import asyncio
import re
import sqlite3
import time
from contextlib import closing
from datetime import datetime

import httpx2 as httpx
import pytest
from playwright.async_api import Page, expect

from fleetweb.rehearsal import LARGE, LOADING, SMALL, Fault, FaultKind, Rehearsal
from tests.rehearsal.asking import Caller, prompt
from tests.rehearsal.waiting import until

from .conftest import Arrive, OpenRoom
from .control_room import ControlRoom
from .visitor import Sight

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LOST_WITHIN_S = 3.0
MOST_SHIFT = 0.02
# What is said of a server that is not there.
GONE = ("WebSocket connection to", "htmx:ws:error", "Failed to load resource")
NOTIFICATIONS = """
window.told = [];
window.Notification = class {
  static permission = "granted";
  static async requestPermission() { return "granted"; }
  constructor(title, options) { told.push([title, options.body]); }
};
"""
SHIFTS = """
window.shifted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const sources = entry.sources.map(({ node, previousRect: was, currentRect: is }) =>
      [node?.className ?? node?.textContent, was.y, is.y, was.height, is.height]);
    shifted.push({ at: Date.now() / 1000, value: entry.value, sources });
  }
}).observe({ type: "layout-shift" });
"""
HIDE = """
Object.defineProperty(document, "hidden", { get: () => true });
Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
document.dispatchEvent(new Event("visibilitychange"));
"""


async def enter(arrive: Arrive, room: ControlRoom, **options: object) -> Sight:
    """The owner's browser, with the fleet before it and its socket at work."""
    sight = await (await arrive(**options)).open(room.address)
    await sight.shows("king", "idle")
    await until(lambda: sight.beats)
    return sight


def banner(page: Page, trouble: str = "lost"):
    return page.locator(f"#connection [data-trouble={trouble}]")


async def test_a_first_visitor_sees_something_happen_at_once(
    open_room: OpenRoom, arrive: Arrive
) -> None:
    room = await open_room("--rehearsal")
    visitor = await arrive()
    sight = await visitor.open(room.address)
    at_work = sight.page.locator("article[data-state=processing]")
    await expect(at_work.first).to_be_visible(timeout=10_000)
    await expect(sight.page.locator("#rehearsal")).to_contain_text("no real machines")


class TestPushes:
    async def test_state_and_sentence_change_without_a_reload(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        await sight.page.evaluate("window.still = true")
        await fleet.place(LOADING, ["soldier2"], ready=False)
        await sight.shows("soldier2", "waking")
        await sight.says("soldier2", re.compile(r"^Waking up .*: \d+ of \d+ layers\.$"))
        await fleet.place(SMALL, ["soldier1"])
        await sight.says("soldier1", "Present and waiting.")
        fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=SMALL))
        await sight.shows("soldier1", "stumbled")
        assert await sight.page.evaluate("still")

    async def test_only_what_changed_is_pushed(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        assert sight.pushes[0][0] == "room"
        await until(lambda: sight.pushes[-1][0] != "room")
        before = len(sight.pushes)
        await fleet.place(SMALL, ["soldier1"])
        await sight.says("soldier1", "Present and waiting.")
        last: dict[str, str] = {}
        for root, html in sight.pushes[before:]:
            assert last.get(root) != html
            last[root] = html
        assert "node-soldier1" in last
        assert not {"room", "rehearsal", "notices", "work"} & set(last)

    async def test_evidence_opens_and_stays_open_over_pushes(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        await sight.page.locator("#node-king summary").click()
        await sight.page.locator("#node-soldier1 summary").focus()
        await sight.page.keyboard.press("Enter")
        before = len(sight.pushes)
        both = {"node-king", "node-soldier1"}
        await until(lambda: both <= {root for root, _ in sight.pushes[before:]}, 20)
        for machine in ("king", "soldier1"):
            await expect(sight.page.locator(f"#node-{machine} .facts")).to_be_visible()
        await expect(sight.page.locator("#node-soldier1 summary")).to_be_focused()
        await expect(sight.page.locator("#node-soldier2 .facts")).to_be_hidden()

    async def test_the_tab_says_how_the_fleet_is(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        await expect(sight.page).to_have_title(
            "The fleet is present and waiting for you. · fleetweb"
        )
        icon = sight.page.locator("#favicon")
        await expect(icon).to_have_attribute("href", re.compile("rest"))
        await fleet.place(LOADING, ["soldier2"], ready=False)
        await expect(sight.page).to_have_title(re.compile("^Waking up"), timeout=15_000)
        await expect(icon).to_have_attribute("href", re.compile("stirring"))
        response = await sight.page.request.get(room.url + str(await icon.get_attribute("href")))
        assert response.ok

    async def test_a_hidden_tab_keeps_its_socket(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        await sight.page.evaluate(HIDE)
        await fleet.place(SMALL, ["soldier1"])
        await sight.says("soldier1", "Present and waiting.")
        assert [socket.is_closed() for socket in sight.sockets] == [False]


class TestConnection:
    async def test_a_killed_server_shows_at_once_and_the_page_heals(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        visitor = await arrive()
        visitor.expects(*GONE)
        sight = await visitor.open(room.address)
        await until(lambda: sight.beats)  # the page itself has shown all before its socket is open
        await room.kill()
        killed_at = time.time()
        await expect(banner(sight.page)).to_be_visible(timeout=15_000)
        assert await silent_s(sight.page) < LOST_WITHIN_S
        assert abs(await shown_since(sight.page) - killed_at) < LOST_WITHIN_S
        await fleet.place(SMALL, ["soldier1"])
        await room.start()
        await expect(banner(sight.page)).to_be_hidden(timeout=15_000)
        await sight.says("soldier1", "Present and waiting.")
        assert [root for root, _ in sight.pushes].count("room") >= 2
        await expect(sight.page.locator("html")).to_have_attribute("data-connection", "well")

    async def test_a_hanging_server_shows_at_once_and_the_page_heals(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        room.hang()
        await expect(banner(sight.page)).to_be_visible(timeout=15_000)
        assert await silent_s(sight.page) < LOST_WITHIN_S
        await fleet.place(SMALL, ["soldier1"])
        room.resume()
        await expect(banner(sight.page)).to_be_hidden()
        await sight.says("soldier1", "Present and waiting.")

    async def test_says_so_when_nobody_watches_the_fleet(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        """A poller elsewhere has taken the lease, and hangs."""
        sight = await enter(arrive, room)
        taken_at = time.time()
        write(room, "holder = 'elsewhere', renewed_at = datetime('now', '+1 hour')")
        await expect(banner(sight.page, "unwatched")).to_be_visible(timeout=15_000)
        assert abs(await shown_since(sight.page) - taken_at) < LOST_WITHIN_S
        await expect(banner(sight.page)).to_be_hidden()
        write(room, "holder = ''")
        await expect(banner(sight.page, "unwatched")).to_be_hidden(timeout=15_000)


async def silent_s(page: Page) -> float:
    """How long the page had heard nothing when it noticed, by its own clock."""
    said = await page.locator("#connection").get_attribute("data-silent-ms")
    return int(str(said)) / 1000


async def shown_since(page: Page) -> float:
    """Since when what is shown is old, as the banner that is visible says, in seconds of Unix."""
    said = page.locator("#connection p:not([hidden]) time")
    await expect(said).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    at = datetime.fromisoformat(str(await said.get_attribute("datetime")))
    return at.timestamp()


def write(room: ControlRoom, lease: str) -> None:
    with closing(sqlite3.connect(room.data / "fleetweb.sqlite3", timeout=10)) as database:
        assert database.execute(f"UPDATE fleet_pollerlease SET {lease}").rowcount == 1
        database.commit()


class TestNotifications:
    async def test_a_machine_that_dies_is_told_once(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        visitor = await arrive()
        await visitor.context.add_init_script(NOTIFICATIONS)
        sight = await visitor.open(room.address)
        await sight.shows("soldier3", "idle")
        await sight.page.get_by_role("button", name="Notify me").click()
        await sight.page.reload()
        await sight.shows("soldier3", "idle")
        beats = sight.beats
        await until(lambda: sight.beats > beats + 1)
        assert await sight.page.evaluate("told") == []
        await fleet.node("soldier3").kill()
        await sight.shows("soldier3", "quiet")
        ((title, body),) = await sight.page.evaluate("told")
        assert title == "soldier3"
        assert body.startswith("Gone quiet")

    async def test_nobody_is_told_who_did_not_ask(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        visitor = await arrive()
        await visitor.context.add_init_script(NOTIFICATIONS)
        sight = await visitor.open(room.address)
        await sight.shows("soldier3", "idle")
        await fleet.node("soldier3").kill()
        await sight.shows("soldier3", "quiet")
        assert await sight.page.evaluate("told") == []


class TestTheDoor:
    async def test_the_token_opens_the_room_and_leaves_the_address(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room)
        assert sight.page.url == f"{room.url}/"
        again = await sight.page.goto(f"{room.url}/")
        assert again is not None
        assert again.ok
        await sight.shows("king", "idle")

    async def test_a_stranger_is_asked_who_they_are(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        visitor = await arrive()
        sight = await visitor.open(room.url)
        await expect(sight.page).to_have_url(re.compile("/login/"))
        await expect(sight.page.get_by_role("heading", level=1)).to_have_text("Who is there?")
        assert "soldier1" not in await sight.page.content()
        await sight.page.get_by_label("The fleet's token").fill(room.address.partition("=")[2])
        await sight.page.get_by_role("button", name="Come in").first.click()
        await sight.shows("king", "idle")
        await until(lambda: sight.beats)


class TestEverybody:
    @pytest.mark.parametrize(("wanted", "moves"), [("reduce", False), ("no-preference", True)])
    async def test_nothing_moves_for_those_who_want_no_motion(
        self, room: ControlRoom, arrive: Arrive, wanted: str, moves: bool
    ) -> None:
        sight = await enter(arrive, room, reduced_motion=wanted)
        running = "document.getAnimations().filter(a => a.playState === 'running').length"
        assert (await sight.page.evaluate(running) > 0) is moves

    async def test_a_phone_shows_everything_without_scrolling_sideways(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(arrive, room, viewport={"width": 360, "height": 640})
        await fleet.place(SMALL, ["soldier1"])
        await sight.says("soldier1", "Present and waiting.")
        for summary in await sight.page.locator("summary").all():
            await summary.click()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await sight.page.evaluate(wide) == 0

    @pytest.mark.parametrize("width", [360, 1440])
    async def test_everything_is_reached_by_keyboard(
        self, room: ControlRoom, arrive: Arrive, width: int
    ) -> None:
        sight = await enter(arrive, room, viewport={"width": width, "height": 800})
        page = sight.page
        wanted = await page.locator("a[href]:visible, button:visible, summary:visible").count()
        reached = [await next_focus(page) for _ in range(wanted)]
        assert reached[0] == "Skip to the content"
        assert len(set(reached)) == wanted
        assert [stop for stop in reached if stop.startswith("node-")] == [
            f"node-{name}-evidence" for name in ("king", "soldier1", "soldier2", "soldier3")
        ]

    async def test_the_first_stop_leads_past_the_bar(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        page = (await enter(arrive, room)).page
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        assert await next_focus(page) == "king"

    @pytest.mark.parametrize("width", [360, 1440])
    async def test_nothing_shifts_while_the_fleet_is_busy(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive, width: int
    ) -> None:
        await fleet.place(LARGE, ["soldier1", "soldier2"])
        await fleet.place(LOADING, ["soldier3"], ready=False)
        sight = await watch_shifts(arrive, room, width)
        async with asyncio.TaskGroup() as callers:
            callers.create_task(ask(fleet, LARGE))
            await sight.shows("soldier1", "processing")
            await until(lambda: sight.beats > 20, 60)
        await sight.shows("soldier1", "idle")
        states = {seen.state for seen in await sight.seen()}
        assert {"processing", "waking", "idle"} <= states
        assert await shifted(sight) < MOST_SHIFT

    async def test_nothing_shifts_on_a_desk_when_things_go_wrong(
        self, fleet: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await watch_shifts(arrive, room, 1440)
        await fleet.place(LARGE, ["soldier1", "soldier2"])
        await fleet.place(LOADING, ["soldier3"], ready=False)
        asked = asyncio.create_task(ask(fleet, LARGE))
        await sight.shows("soldier1", "processing")
        await sight.shows("soldier3", "waking")
        fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=LOADING))
        await fleet.node("soldier1").kill()
        await sight.shows("soldier3", "stumbled")
        await sight.shows("soldier1", "quiet")
        await sight.shows("soldier2", "silent")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert await shifted(sight) < MOST_SHIFT


async def shifted(sight: Sight) -> float:
    """By how much things moved that should not have, in Chromium's measure of layout shift."""
    shifts = await sight.page.evaluate("shifted")
    print(*shifts, sep="\n")  # shown where the test fails
    return float(sum(shift["value"] for shift in shifts))


async def ask(fleet: Rehearsal, model: str) -> None:
    """Be a caller of exo who reads until the end."""
    async with httpx.AsyncClient(timeout=60) as client:
        body = prompt("Plan a garden for a slope that faces south-east.", model)
        async for _ in Caller(fleet, client).events(body):
            pass


async def watch_shifts(arrive: Arrive, room: ControlRoom, width: int) -> Sight:
    visitor = await arrive(viewport={"width": width, "height": 900})
    sight = await visitor.open(room.address)
    await expect(sight.page.locator("article[data-node=king][data-state]")).to_be_visible()
    await until(lambda: sight.beats)
    await sight.page.evaluate(SHIFTS)
    return sight


async def next_focus(page: Page) -> str:
    """What the Tab key leads to: the id of a machine's evidence, or the text of the thing."""
    await page.keyboard.press("Tab")
    name: str = await page.evaluate(
        "document.activeElement.closest('details')?.id || document.activeElement.textContent.trim()"
    )
    return name
