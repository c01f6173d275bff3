"""The playground in a real browser before the real server: asked, watched, stopped, reloaded."""

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from fleetweb.rehearsal import SMALL, Fault, FaultKind, Rehearsal
from tests.rehearsal.waiting import until
from tests.scripted_exo import DONE, USAGE, ScriptedExo, event

from .conftest import Arrive
from .control_room import ControlRoom
from .visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

THINKER = "mlx-community/QwQ-32B-4bit"
STOPPED_WITHIN_S = 3.0
STILL_AT_MOST_S = 2.0
# What Chromium says of a server that is not there.
GONE = ("WebSocket connection to", "htmx:ws:error", "net::ERR_", "Failed to fetch")
LEFT = "closed before the connection is established"  # and of a page left at once
AXE = next((Path(__file__).resolve().parents[1] / "vendor").rglob("axe.min.js"))
END = event({"content": " End."}, finish_reason="stop", usage=USAGE)

# How long the words of the page have stood still at most, as a person sees it.
STILLNESS = """
window.stillest = 0;
let said = "", since = performance.now();
setInterval(() => {
  const now = document.querySelector(".standing:not([data-over])")?.innerText ?? "";
  if (now !== said) { said = now; since = performance.now(); }
  else if (now) window.stillest = Math.max(window.stillest, performance.now() - since);
}, 50);
"""
Composer = Callable[..., Awaitable[tuple[Visitor, Page]]]
HARM = "window.harmed = false; window.alert = () => { window.harmed = true; };"


async def enter(
    arrive: Arrive, room: ControlRoom, model: str | None = None, **options: Any
) -> tuple[Visitor, Page]:
    """The owner before an empty composer, once `model` can be chosen."""
    visitor = await arrive(**options)
    page = (await visitor.open(room.address)).page
    await page.goto(f"{room.url}/playground/")
    if model is not None:
        loaded = page.locator(f"optgroup[label=Loaded] option[value='{model}']").first

        async def is_loaded() -> bool:
            if not await loaded.count():
                await page.reload()
            return bool(await loaded.count())

        await until(is_loaded)
        await page.select_option("#id_model_0", model)
    return visitor, page


async def ask(page: Page, prompt: str) -> None:
    """By the keyboard alone."""
    await page.fill("#id_prompt", prompt)
    await page.press("#id_prompt", "Control+Enter")
    await page.wait_for_url("**/playground/*/")
    await expect(page.locator(".turn").last).to_be_visible()


def state(page: Page, at: int = 0):
    return page.locator(".standing .state .word").nth(at)


async def stop(page: Page) -> None:
    await page.keyboard.press("Escape")
    await expect(page.locator(".standing:not([data-over])")).to_have_count(0)


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run()")
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]


@pytest.fixture
def composer(fleet: Rehearsal, room: ControlRoom, arrive: Arrive) -> Composer:
    """Places a model, lets its next thought go wrong if so wished, and opens the composer."""

    async def opened(
        model: str = SMALL, kind: FaultKind | None = None, **options: Any
    ) -> tuple[Visitor, Page]:
        await fleet.place(model, ["soldier1"])
        if kind is not None:
            fleet.inject(Fault(kind, model=model))
        return await enter(arrive, room, model, **options)

    return opened


@pytest_asyncio.fixture(loop_scope="module")
async def story(composer: Composer) -> Page:
    """The page of a long story that has just begun."""
    _, page = await composer()
    await ask(page, "Tell a long story.")
    await expect(page.locator(".says .block").first).not_to_be_empty()
    return page


async def test_the_wait_the_thinking_and_the_answer_are_shown_as_they_happen(
    composer: Composer,
) -> None:
    _, page = await composer(THINKER)
    await expect(page.locator("#routes")).to_contain_text("soldier1 holds QwQ-32B")
    await ask(page, "Plan a garden.")
    await expect(page.locator(".mind[data-lives]")).to_have_text("It's not broken. It's thinking.")
    await expect(page.locator(".thinking .thoughts")).to_be_hidden()
    await expect(state(page)).to_have_text("Answering", timeout=15_000)
    await expect(page.locator(".says .block").first).not_to_be_empty()
    await expect(state(page)).to_have_text("Answered", timeout=30_000)
    await expect(page.locator(".mind")).to_have_text(re.compile(r"Thought for .* s"))
    figures = page.locator(".figures")
    await expect(figures).to_contain_text("soldier1 (exo)")
    await expect(figures).to_contain_text("nothing")
    await expect(figures).not_to_contain_text("not yet")
    for phase in ("reading", "thinking", "answering"):
        took = page.locator(f"[data-phase={phase}][data-when=past] .took")
        await expect(took).to_have_text(re.compile(r"\d+ m?s|\d+\.\d s"))
    await page.locator(".thinking summary").click()
    await expect(page.locator(".thoughts")).to_contain_text("First I look at what is asked.")


@pytest.mark.parametrize(
    ("kind", "word", "sentence"),
    [
        (FaultKind.THINKING_CONTRADICTS, "Grappling", "Grappling with contradiction"),
        (FaultKind.THINKING_RECURSES, "Rethinking", "Deep recursive thinking"),
        (FaultKind.THINKING_CIRCLES, "Circling", "Going in circles"),
    ],
)
async def test_thinking_that_goes_wrong_says_so_while_it_is_folded(
    composer: Composer, kind: FaultKind, word: str, sentence: str
) -> None:
    _, page = await composer(THINKER, kind)
    await ask(page, "Plan a garden.")
    await expect(page.locator(".mind")).to_contain_text(sentence, timeout=15_000)
    await expect(state(page)).to_have_text(word)
    await stop(page)


async def test_escape_stops_the_runner_too(fleet: Rehearsal, story: Page) -> None:
    began = time.monotonic()
    await stop(story)
    await until(lambda: {task.status for task in fleet.tasks} == {"Cancelled"})
    assert time.monotonic() - began < STOPPED_WITHIN_S
    await expect(state(story)).to_have_text("Stopped")
    await expect(story.locator("#stop-all")).to_be_hidden()


async def test_a_long_reading_moves_and_its_forecast_tightens(
    composer: Composer,
) -> None:
    _, page = await composer()
    await page.add_init_script(STILLNESS)
    await ask(page, "word " * 13_000)
    sentence, forecast = page.locator(".standing .sentence"), page.locator(".forecast")
    await expect(sentence).to_have_text(re.compile(r"Reading your prompt: 0 %"), timeout=10_000)
    await expect(forecast).to_have_text(re.compile(r"about \d+ s, at most"), timeout=20_000)
    widths = []
    for share in ("2[0-9]", "5[0-9]", "7[0-9]"):
        await expect(sentence).to_have_text(re.compile(f"{share} % of 16,"), timeout=20_000)
        widths.append(_at_most_s(await forecast.inner_text()))
    assert widths == sorted(widths, reverse=True), widths
    assert await page.evaluate("stillest") < STILL_AT_MOST_S * 1000
    await expect(page.locator(".machines")).to_contain_text("soldier1")
    await stop(page)


def _at_most_s(said: str) -> int:
    number, unit = re.findall(r"(\d+) ?(s|min)?\.?$", said)[0]
    return int(number) * (60 if unit == "min" else 1)


async def test_a_stall_is_explained_while_it_lasts(fleet: Rehearsal, story: Page) -> None:
    await story.evaluate(STILLNESS)
    fleet.inject(Fault(FaultKind.TOKENS_STALL, model=SMALL, for_s=90))
    for seconds in (3, 6):
        said = re.compile(f"^Nothing new for {seconds} s")
        await expect(story.locator(".stillness")).to_have_text(said, timeout=10_000)
    await expect(story.locator(".machines")).to_contain_text("just heard of")
    assert await story.evaluate("stillest") < STILL_AT_MOST_S * 1000
    await stop(story)


async def test_a_machine_that_dies_in_the_middle_is_told(fleet: Rehearsal, story: Page) -> None:
    await fleet.node("soldier1").kill()
    await expect(state(story)).to_have_text("Failed", timeout=15_000)
    assert len(await story.locator(".says").inner_text()) > 20
    await expect(story.get_by_role("button", name="Retry")).to_be_visible()


async def test_a_reload_in_the_middle_of_an_answer_catches_up(story: Page) -> None:
    before = await story.locator(".says").inner_text()
    await story.reload()
    begins = re.compile("^" + re.escape(before[:40]))
    await expect(story.locator(".says")).to_have_text(begins)
    so_far = len(await story.locator(".says").inner_text())

    async def has_grown() -> bool:
        return len(await story.locator(".says").inner_text()) > so_far + 100

    await until(has_grown)
    await expect(state(story)).to_have_text("Answering")
    await stop(story)


async def test_what_is_open_stays_open_while_the_answer_grows(
    composer: Composer,
) -> None:
    _, page = await composer()
    await ask(page, "Tell a long story.")
    await page.locator(".why summary").click()
    await page.fill("#id_prompt", "And then…")
    tokens = page.locator(".figures dd").nth(4)
    was = await tokens.inner_text()
    await expect(tokens).not_to_have_text(was)
    await expect(page.locator(".why p")).to_be_visible()
    await expect(page.locator("#id_prompt")).to_have_value("And then…")
    await expect(page.locator("#id_prompt")).to_be_focused()
    await stop(page)


async def test_a_killed_server_is_shown_and_what_had_come_is_kept(
    composer: Composer, room: ControlRoom
) -> None:
    visitor, page = await composer()
    visitor.expects(*GONE)
    await ask(page, "Tell a long story.")
    written = page.locator(".says")

    async def has_length() -> bool:
        return len(await written.inner_text()) > 600

    await until(has_length)
    before = await written.inner_text()
    await room.kill()
    await expect(page.locator("#connection [data-trouble=lost]")).to_be_visible(timeout=3_000)
    await room.start()
    await expect(state(page)).to_have_text("Interrupted", timeout=20_000)
    kept = await written.inner_text()
    assert kept.startswith(before[:200])
    await expect(page.locator("#connection [data-trouble=lost]")).to_be_hidden()


async def test_a_further_turn_comes_without_a_reload(composer: Composer) -> None:
    visitor, page = await composer()
    visitor.expects(LEFT)
    await ask(page, "Plan a garden.")
    await expect(state(page)).to_have_text("Answered", timeout=30_000)
    await page.evaluate("window.still = true")
    await ask(page, "And a pond?")
    await expect(page.locator(".turn")).to_have_count(2)
    await expect(state(page, 1)).to_have_text("Answered", timeout=30_000)
    await expect(page.locator("#id_prompt")).to_have_value("")
    await expect(page.locator("#id_prompt")).to_be_focused()
    assert await page.evaluate("still")
    await page.get_by_role("link", name="Edit and branch").last.click()
    await expect(page.locator("#id_prompt")).to_have_value("And a pond?")
    await ask(page, "And a hedge?")
    await expect(page.locator(".asked")).to_have_text(["Plan a garden.", "And a hedge?"])


async def test_works_without_scripts(composer: Composer) -> None:
    _, page = await composer(java_script_enabled=False)
    await page.fill("#id_prompt", "Plan a garden.")
    await page.get_by_role("button", name="Show the route").click()
    await expect(page.locator("#routes")).to_contain_text("soldier1 holds")
    await expect(page.locator("#id_prompt")).to_have_value("Plan a garden.")
    await page.get_by_role("button", name="Ask").click()
    await expect(state(page)).to_have_text("Answered", timeout=30_000)
    await expect(page.locator(".says .block").first).not_to_be_empty()
    await page.get_by_role("button", name="Delete this run").click()
    await expect(page.locator("#past")).to_contain_text("None yet.")


HOSTILE = """# <img src=x onerror=alert(1)>

<script>alert(1)</script> [click](javascript:alert(1)) ![p](https://example.org/pixel.png)

| a | <svg onload=alert(1)> |
|---|---|
| `\u202egnorw` | \u202efo tuo |

```python
print("</code></pre><script>alert(1)</script>")

**never closed [or](http://
"""


class TestOutput:
    @pytest_asyncio.fixture(loop_scope="module")
    async def exo(self):
        async with ScriptedExo() as exo:
            yield exo

    async def test_hostile_output_does_no_harm(self, exo, open_room, arrive: Arrive) -> None:
        exo.answers["Be evil."] = (event({"content": HOSTILE}), END, DONE)
        room = await open_room("--exo", exo.url)
        _, page = await enter(arrive, room, SMALL)
        await page.add_init_script(HARM)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await ask(page, "Be evil.")
        await expect(state(page)).to_have_text("Answered")
        await expect(page.locator(".says")).to_contain_text("<script>alert(1)</script>")
        assert await page.locator(".says :is(script, img, svg, iframe, form, input)").count() == 0
        hrefs = await page.locator(".says a").evaluate_all("all => all.map(a => a.href)")
        assert hrefs == ["https://example.org/pixel.png"]
        await page.locator(".says td").first.click()
        assert not await page.evaluate("harmed")
        assert all(url.startswith((room.url, "ws:", "data:")) for url in asked)

    async def test_a_megabyte_in_one_token_leaves_the_page_awake(
        self, exo, open_room, arrive: Arrive
    ) -> None:
        exo.answers["Much."] = (event({"content": "fern " * 200_000}), 0.5, END, DONE)
        room = await open_room("--exo", exo.url)
        _, page = await enter(arrive, room, SMALL)
        await ask(page, "Much.")
        await expect(state(page)).to_have_text("Answered", timeout=30_000)
        await expect(page.locator(".says .block").last).to_contain_text("End.")
        text = str(await page.locator(".says").evaluate("says => says.textContent"))
        assert text.count("fern") == 200_000
        await page.fill("#id_prompt", "Still there?")
        await expect(page.locator("#id_prompt")).to_have_value("Still there?")

    async def test_code_can_be_copied(self, exo, open_room, arrive: Arrive) -> None:
        code = "def f():\n    return 1\n"
        exo.answers["Code."] = (event({"content": f"```python\n{code}```\n"}), END, DONE)
        room = await open_room("--exo", exo.url)
        visitor, page = await enter(arrive, room, SMALL)
        await visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await ask(page, "Code.")
        await expect(state(page)).to_have_text("Answered")
        await page.locator(".says .code button").click()
        await expect(page.locator(".says .code button")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == code
        await page.get_by_text("Copy as code").click()
        await expect(page.locator(".snippets")).to_contain_text("curl -N")


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_is_for_everybody(self, composer: Composer, scheme: str) -> None:
        _, page = await composer(THINKER, color_scheme=scheme)
        await page.locator("#others summary").click()
        await page.locator("#tuning summary").click()
        await expect(page.locator("#routes .route")).to_be_visible()
        assert await violations(page) == []
        await ask(page, "Plan a garden.")
        await expect(page.locator(".mind[data-lives]")).to_be_visible(timeout=15_000)
        await page.locator(".thinking summary").click()
        assert await violations(page) == []
        await expect(state(page)).to_have_text("Answered", timeout=30_000)
        assert await violations(page) == []

    async def test_fits_a_phone(self, composer: Composer) -> None:
        _, page = await composer(THINKER, viewport={"width": 360, "height": 740})
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) == 0
        await ask(page, "Plan a garden.")
        await expect(page.locator(".mind[data-lives]")).to_be_visible(timeout=15_000)
        assert await page.evaluate(wide) == 0
        await expect(state(page)).to_have_text("Answered", timeout=30_000)
        assert await page.evaluate(wide) == 0

    async def test_a_long_sentence_fits_a_phone(self, composer: Composer) -> None:
        _, page = await composer(
            THINKER, FaultKind.THINKING_CONTRADICTS, viewport={"width": 360, "height": 740}
        )
        await ask(page, "Plan a garden.")
        await expect(page.locator(".mind")).to_contain_text("Grappling", timeout=15_000)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) == 0
        await stop(page)

    async def test_the_keyboard_reaches_everything_in_its_order(
        self, room: ControlRoom, arrive: Arrive
    ) -> None:
        _, page = await enter(arrive, room)
        await page.focus("#id_prompt")
        reached = []
        for _ in range(7):
            reached.append(
                await page.evaluate("document.activeElement.id || document.activeElement.innerText")
            )
            await page.keyboard.press("Tab")
        assert [one.split("\n")[0] for one in reached] == [
            "id_prompt",
            "Ask",
            "Show the route",
            "id_model_0",
            "id_strategy_0",
            "id_reach_0",
            "Side by side with others",
        ]

    async def test_four_stand_side_by_side(self, composer: Composer) -> None:
        _, page = await composer(viewport={"width": 1920, "height": 1000})
        await page.locator("#others summary").click()
        for number in range(1, 4):
            await page.select_option(f"#id_model_{number}", SMALL)
        await ask(page, "Plan a garden.")
        await expect(page.locator(".standing[data-over]")).to_have_count(4, timeout=30_000)
        boxes = [await page.locator(".answer").nth(n).bounding_box() for n in range(4)]
        lefts = [box["x"] for box in boxes if box]
        assert lefts == sorted(set(lefts))
