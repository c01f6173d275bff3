"""The page of API keys in a real browser: with scripts and without, on a desk and on a phone."""

from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.async_api import Page, expect

from fleetweb.rehearsal import SMALL
from tests.processes import TOKEN

from .conftest import Arrive
from .control_room import ControlRoom
from .visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AXE = next((Path(__file__).parents[1] / "vendor").glob("axe-core-*/axe.min.js"))


async def keys_page(room: ControlRoom, owner: Visitor) -> Page:
    return (await owner.open(f"{room.url}/keys/?token={TOKEN}")).page


async def make(page: Page, name: str, **limits: str) -> str:
    """Fills in the form as its owner would; the secret that is shown."""
    await page.get_by_label("Name", exact=True).fill(name)
    for limit, value in limits.items():
        await page.locator(f".new [name={limit}]").fill(value)
    await page.get_by_role("button", name="Make the key").click()
    return await page.locator("#secret").inner_text()


async def say_hello(room: ControlRoom, secret: str) -> str:
    """As the example on the page does, but by name: nobody may have looked yet what is loaded."""
    async with openai.AsyncOpenAI(
        base_url=f"{room.url}/v1", api_key=secret, max_retries=0
    ) as client:
        answer = await client.chat.completions.create(
            model=SMALL, messages=[{"role": "user", "content": "Hello"}], max_tokens=8
        )
    return answer.choices[0].message.content or ""


async def faults(page: Page) -> list[str]:
    """What axe finds. It comes past the page's policy, as a browser's own tools do."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [f"{rule['id']}: {one['html']}" for rule in found["violations"] for one in rule["nodes"]]


async def test_a_key_is_made_copied_used_and_revoked(room: ControlRoom, arrive: Arrive):
    owner = await arrive(permissions=["clipboard-read", "clipboard-write"])
    page = await keys_page(room, owner)
    secret = await make(page, "laptop", requests_per_minute="1")
    await expect(page.locator("#issued")).to_be_focused()
    await page.get_by_role("button", name="Copy the key").click()
    await expect(page.locator(".copied").first).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == secret

    assert await say_hello(room, secret)
    with pytest.raises(openai.RateLimitError, match="may use 1 request a minute") as refused:
        await say_hello(room, secret)
    assert 0 < int(refused.value.response.headers["Retry-After"]) <= 60

    await page.get_by_text("Revoke laptop", exact=True).click()
    await page.get_by_role("button", name="Revoke laptop for good").click()
    await expect(page.locator(".said")).to_contain_text("laptop is revoked")
    await expect(page.locator(".said")).to_be_focused()
    with pytest.raises(openai.AuthenticationError):
        await say_hello(room, secret)


async def test_a_wrong_figure_is_said_in_its_box_and_kept(room: ControlRoom, arrive: Arrive):
    page = await keys_page(room, await arrive())
    await make_wrong(page)
    box = page.locator(".new [name=tokens_per_day]")
    await expect(box).to_be_focused()
    await expect(box).to_have_value("lots")
    await expect(box).to_have_accessible_description("Write a whole number, such as 100,000.")
    await expect(page.get_by_label("Name", exact=True)).to_have_value("phone")


async def make_wrong(page: Page) -> None:
    await page.get_by_label("Name", exact=True).fill("phone")
    await page.locator(".new [name=tokens_per_day]").fill("lots")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.locator(".new .wrong")).to_be_visible()


async def test_without_scripts_everything_works(room: ControlRoom, arrive: Arrive):
    page = await keys_page(room, await arrive(java_script_enabled=False))
    assert (await make(page, "laptop")).startswith("fw-")
    await expect(page.locator("[data-copy]").first).to_be_hidden()
    await page.locator("summary").first.click()
    await page.locator("article [name=requests_per_minute]").fill("5")
    await page.get_by_role("button", name="Keep these limits").click()
    await expect(page.get_by_text("5 a minute")).to_be_visible()
    await page.locator("summary").nth(1).click()
    await page.get_by_role("button", name="Revoke laptop for good").click()
    await expect(page.get_by_text("No program has a key yet.")).to_be_visible()


async def test_the_clipboard_is_reached_where_browsers_withhold_it(
    room: ControlRoom, arrive: Arrive
):
    owner = await arrive()
    await owner.context.add_init_script("delete Navigator.prototype.clipboard")
    page = await keys_page(room, owner)
    secret = await make(page, "laptop")
    await page.get_by_role("button", name="Copy the key").click()
    await expect(page.locator(".copied").first).to_have_text("Copied.")
    assert await page.evaluate("getSelection().toString().trim()") == secret


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 360])
async def test_everyone_can_read_it(room: ControlRoom, arrive: Arrive, scheme: str, width: int):
    owner = await arrive(color_scheme=scheme, viewport={"width": width, "height": 800})
    owner.expects("Applying inline style")  # axe's own
    page = await keys_page(room, owner)
    assert await faults(page) == []
    await make(page, "laptop", tokens_per_day="5,000", usd_per_month="2.50")
    assert await faults(page) == []
    await make_wrong(page)
    for summary in await page.locator("summary").all():
        await summary.click()
    assert await faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") == width
