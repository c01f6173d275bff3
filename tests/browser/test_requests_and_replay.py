"""Looking back in a real browser: at an outage as the room had shown it, and at its requests."""

import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest
import pytest_asyncio
from django.conf import settings
from playwright.async_api import Page, expect

from fleetweb.rehearsal import SMALL, Fault, FaultKind, Rehearsal
from tests.processes import TOKEN
from tests.rehearsal.asking import prompt
from tests.rehearsal.waiting import until

from .conftest import Arrive, OpenRoom
from .control_room import ControlRoom
from .visitor import Seen, Sight, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AXE = next((Path(__file__).parents[1] / "vendor").glob("axe-core-*/axe.min.js"))
# Fast enough that exo gives a machine up within seconds.
SPEED = 4.0
OWNERS = ZoneInfo(settings.TIME_ZONE)
ELSEWHERE = "Pacific/Chatham"  # hours and 45 minutes away from everybody else
CLOCKS = "all => all.map(one => [one.dateTime, one.textContent])"


@pytest_asyncio.fixture(loop_scope="module")
async def brisk() -> AsyncIterator[Rehearsal]:
    async with Rehearsal(speed=SPEED) as rehearsal:
        yield rehearsal


@pytest_asyncio.fixture(loop_scope="module")
async def room(brisk: Rehearsal, open_room: OpenRoom) -> ControlRoom:
    """A control room with one model at hand."""
    await brisk.place(SMALL, ["soldier1"])
    return await open_room(*(argument for url in brisk.urls for argument in ("--exo", url)))


async def ask(room: ControlRoom, model: str = SMALL) -> None:
    """One request through the gateway, to its end."""
    async with httpx.AsyncClient(timeout=60) as client:
        await client.post(
            f"{room.url}/v1/chat/completions",
            json=prompt("Hello", model, max_tokens=8),
            headers={"Authorization": f"Bearer {TOKEN}"},
        )


async def enter(room: ControlRoom, visitor: Visitor) -> Sight:
    sight = await visitor.open(room.address)
    await sight.shows("soldier1", "idle")
    return sight


async def go(sight: Sight, room: ControlRoom, path: str) -> Page:
    await sight.page.goto(room.url + path)
    return sight.page


async def faults(page: Page) -> list[str]:
    """What axe finds. It comes past the page's policy, as a browser's own tools do."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [f"{rule['id']}: {one['html']}" for rule in found["violations"] for one in rule["nodes"]]


def address_of(at: float) -> str:
    return f"/replay/?at={datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def states(seen: list[Seen]) -> list[str]:
    """One after another, each once."""
    return [state for state, _ in groupby(one.state for one in seen)]


async def moment(page: Page) -> str:
    return str(await page.locator("#when").get_attribute("data-at"))


async def clocks(page: Page) -> list[tuple[datetime, str]]:
    """What the page tells the time of, on the owner's clock, and the time that it tells."""
    await expect(page.locator("#zone")).to_have_text(f"Times here are {OWNERS.key} time")
    await expect(page.locator("#zone")).to_be_visible()
    told = await page.locator("time[data-clock][datetime]").evaluate_all(CLOCKS)
    return [(datetime.fromisoformat(at).astimezone(OWNERS), text) for at, text in told]


class TestReplay:
    async def test_an_outage_is_replayed_as_the_live_page_had_shown_it(
        self, brisk: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive())
        began = (await sight.seen("soldier2"))[0].at
        brisk.inject(Fault(FaultKind.NODE_DIES, node="soldier2"))
        await sight.shows("soldier2", "offline", within_s=40)
        live = states(await sight.seen("soldier2"))
        assert live == ["idle", "quiet", "offline"]

        page = await go(sight, room, address_of(began))
        await page.evaluate("window.still = true")
        while not await page.locator("article[data-node=soldier2][data-state=offline]").count():
            before = await moment(page)
            await page.get_by_role("link", name="Next event").click()
            await expect(page.locator("#when")).not_to_have_attribute("data-at", before)
        assert await page.evaluate("still"), "the page was loaded anew"
        assert states(await sight.seen("soldier2")) == live
        await sight.says("soldier2", "Offline. Last heard")
        await expect(page.locator("#hour .mark")).to_have_count(2)

    async def test_playing_goes_on_by_itself_and_lands_on_trouble(
        self, brisk: Rehearsal, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive())
        began = (await sight.seen("soldier2"))[0].at
        brisk.inject(Fault(FaultKind.NODE_DIES, node="soldier2"))
        await sight.shows("soldier2", "offline", within_s=40)
        page = await go(sight, room, address_of(began + 1))
        await page.get_by_label("Speed").select_option("10")
        await page.get_by_role("button", name="Play").click()
        await sight.shows("soldier2", "offline")
        assert states(await sight.seen("soldier2")) == ["idle", "quiet", "offline"]

    async def test_the_slider_moves_by_seconds_from_the_keyboard(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive())
        page = await go(sight, room, "/replay/?at=2026-01-05T12:30:00Z")
        slider = page.get_by_role("slider")
        await slider.focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#when")).to_have_attribute("data-at", "2026-01-05T12:30:01.000Z")
        await expect(slider).to_have_attribute("aria-valuetext", "12:30:01")
        await expect(slider).to_be_focused()
        await page.wait_for_url("**/replay/?at=2026-01-05T12:30:01Z")
        await expect(page.locator("#link")).to_have_text(page.url)

    async def test_the_track_ends_at_now(self, room: ControlRoom, arrive: Arrive) -> None:
        sight = await enter(room, await arrive())
        page = await go(sight, room, "/replay/")
        before = await moment(page)
        slider = page.get_by_role("slider")
        await slider.focus()
        await page.keyboard.press("End")
        await expect(page.locator("#when")).not_to_have_attribute("data-at", before)
        await expect(page.locator("#when .said")).to_have_count(0)
        shown = datetime.fromisoformat(await moment(page))
        await page.wait_for_url(f"**{address_of(shown.timestamp())}")
        await expect(slider).to_have_attribute(
            "aria-valuetext", f"{shown.astimezone(OWNERS):%H:%M:%S}"
        )

    async def test_times_are_told_as_of_then(self, room: ControlRoom, arrive: Arrive) -> None:
        sight = await enter(room, await arrive())
        await sight.shows("king", "idle")
        settled = (await sight.seen("king"))[-1].at + 2
        await until(lambda: time.time() > settled)
        page = await go(sight, room, address_of(settled))
        since = page.locator("#node-king .since")
        told = await since.get_attribute("datetime")
        shown = datetime.fromisoformat(await moment(page)) - datetime.fromisoformat(str(told))
        await expect(since).to_have_text(f"for {int(shown.total_seconds())} s")

    async def test_all_its_times_are_the_owners_wherever_it_is_read(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        phone = {"width": 360, "height": 640}
        sight = await enter(room, await arrive(timezone_id=ELSEWHERE, viewport=phone))
        began = (await sight.seen("king"))[0].at
        page = await go(sight, room, address_of(began + 1))
        told = await clocks(page)
        assert await page.evaluate("document.documentElement.scrollWidth") == phone["width"]
        assert [text.split()[-1] for _, text in told] == [f"{at:%H:%M:%S}" for at, _ in told]
        shown = datetime.fromisoformat(await moment(page)).astimezone(OWNERS)
        await expect(page.locator("#when .sentence")).to_contain_text(f"{shown:%H:%M:%S}")
        assert await page.locator("#happened time").count() > 0

    async def test_no_zone_is_named_where_there_is_but_one(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive(timezone_id=OWNERS.key))
        page = await go(sight, room, "/replay/?at=2026-01-05T12:30:00Z")
        await expect(page.locator("#player")).to_be_visible()
        await expect(page.locator("#zone")).to_be_hidden()

    async def test_without_scripts_links_and_the_form_lead_everywhere(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = Sight(await (await arrive(java_script_enabled=False)).context.new_page())
        await sight.page.goto(f"{room.url}/replay/?at=2026-01-05T12:30:00Z&token={TOKEN}")
        await expect(sight.page.locator("#player")).to_be_hidden()
        await sight.page.get_by_role("link", name="10 s on").click()
        await expect(sight.page.locator("#when .sentence")).to_contain_text("12:30:10")
        await sight.page.get_by_label("Go to").fill("2026-01-05T13:00:00")
        await sight.page.get_by_role("button", name="Show").click()
        await expect(sight.page.locator("#when .sentence")).to_contain_text("13:00:00")
        await expect(sight.page.locator(".gap")).to_contain_text("Nobody was watching")


class TestRequests:
    async def test_filters_change_the_list_and_the_address_and_keep_the_place(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive())
        await ask(room)
        await ask(room, "nobody-knows-it")
        page = await go(sight, room, "/requests/")
        await expect(page.locator(".request")).to_have_count(2)
        await page.evaluate("window.still = true")
        await page.locator("summary").first.click()
        box = page.get_by_label("How it ended")
        await box.focus()
        await box.select_option("failed")
        await expect(page.locator(".request")).to_have_count(1)
        await expect(box).to_be_focused()
        assert page.url.endswith("/requests/?status=failed")
        assert await page.evaluate("still"), "the page was loaded anew"
        await page.get_by_label("Slower than").fill("soon")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Slower than")).to_have_value("soon")
        await expect(page.get_by_role("alert")).to_contain_text("Write a number of seconds")

    async def test_a_time_of_the_list_finds_its_request_wherever_it_is_read(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive(timezone_id=ELSEWHERE))
        await ask(room)
        page = await go(sight, room, "/requests/")
        ((asked_at, told),) = await clocks(page)
        await page.locator("summary").first.click()
        await page.get_by_label("Asked before").fill(f"{asked_at:%Y-%m-%d}T{told.split()[-1]}")
        await page.keyboard.press("Enter")
        await expect(page.locator(".request")).to_have_count(0)
        await page.get_by_label("Asked before").fill("")
        await page.get_by_label("Asked from").fill(f"{asked_at:%Y-%m-%d}T{told.split()[-1]}")
        await page.keyboard.press("Enter")
        await expect(page.locator(".request")).to_have_count(1)
        await page.locator(".request a").first.click()
        await expect(page).to_have_title(re.compile(told))
        assert await clocks(page) == [(asked_at, told)]

    async def test_a_request_leads_to_its_reasons_and_to_its_moment(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        sight = await enter(room, await arrive())
        await ask(room)
        page = await go(sight, room, "/requests/")
        await page.locator(".request a").first.press("Enter")
        await expect(page.locator(".reason")).to_contain_text("soldier1 holds")
        await expect(page.locator("tr[data-chosen]")).to_contain_text("soldier1")
        await page.get_by_role("link", name="The control room at that moment").click()
        await expect(page.locator("#when .sentence")).to_contain_text("This is the past")
        await expect(page.locator("#room [data-node]")).to_have_count(4)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 360)])
async def test_everyone_can_read_it(
    room: ControlRoom, arrive: Arrive, scheme: str, width: int
) -> None:
    visitor = await arrive(color_scheme=scheme, viewport={"width": width, "height": 800})
    visitor.expects("Applying inline style")  # axe's own
    sight = await enter(room, visitor)
    await ask(room)
    began = (await sight.seen("king"))[0].at
    page = await go(sight, room, "/requests/?slower_than=soon")
    assert await faults(page) == []
    await go(sight, room, "/requests/?provider=exo")
    assert await faults(page) == []
    await page.locator(".request a").first.click()
    assert await faults(page) == []
    for path in (address_of(began + 1), "/replay/?at=2026-01-05T12:30:00Z"):
        await go(sight, room, path)
        await expect(page.locator("#player")).to_be_visible()
        assert await faults(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == width
