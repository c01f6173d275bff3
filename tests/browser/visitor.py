"""Somebody before a browser: what they see, what they see over time, what their browser says."""

import re
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page, WebSocket, expect

# Keeps what the room says, with the time by the clock that the test reads as well.
RECORDER = """
window.seen = [];
addEventListener("DOMContentLoaded", () => {
  const last = {};
  const look = () => {
    for (const machine of document.querySelectorAll("article[data-node]")) {
      const { node, state } = machine.dataset;
      const sentence = machine.querySelector(".sentence").textContent.trim();
      if (last[node] === state + sentence) continue;
      last[node] = state + sentence;
      seen.push({ at: Date.now() / 1000, node, state, sentence });
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ["data-state"],
  });
});
"""
_PARTIAL = re.compile(r'<hx-partial hx-target="#([^"]+)"[^>]*>(.*?)</hx-partial>', re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """What a machine began to show, and when by `time.time()`."""

    at: float
    node: str
    state: str
    sentence: str


class Visitor:
    """One person's browser. Its complaints are kept; those that no test expects fail the test."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self._expected: list[str] = []
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def expects(self, *complaints: str) -> None:
        """Parts of complaints that the test is about: those of a socket whose server is killed."""
        self._expected += complaints

    @property
    def unexpected(self) -> list[str]:
        return [c for c in self.complaints if not any(e in c for e in self._expected)]

    async def open(self, address: str) -> "Sight":
        sight = Sight(await self.context.new_page())
        await sight.page.add_init_script(RECORDER)
        await sight.page.goto(address)
        return sight

    def _heard(self, message: ConsoleMessage) -> None:
        """Violations of the content security policy are errors of the console, too."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location['url']})")


class Sight:
    """One open page, with what its sockets brought."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[WebSocket] = []
        self.frames: list[str] = []
        page.on("websocket", self._opened)

    async def shows(self, node: str, state: str, within_s: float = 15.0) -> None:
        """Wait until a machine is in `state`."""
        machine = self.page.locator(f"article[data-node={node}]")
        await expect(machine).to_have_attribute("data-state", state, timeout=within_s * 1000)

    async def says(self, node: str, sentence: str | re.Pattern[str]) -> None:
        """Wait until a machine's sentence holds `sentence`."""
        said = self.page.locator(f"article[data-node={node}] .sentence")
        await expect(said).to_contain_text(sentence, timeout=15_000)

    async def seen(self, node: str | None = None) -> list[Seen]:
        """Everything that the room showed so far, or one machine of it."""
        rows: list[dict[str, Any]] = await self.page.evaluate("seen")
        return [Seen(**row) for row in rows if node in (None, row["node"])]

    @property
    def pushes(self) -> list[tuple[str, str]]:
        """The fragments that came by socket: the id of each, and its HTML."""
        return [push for frame in self.frames for push in _PARTIAL.findall(frame)]

    @property
    def beats(self) -> int:
        return sum(frame.startswith("{") for frame in self.frames)

    def _opened(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on("framereceived", lambda frame: self.frames.append(str(frame)))
