"""An exo of one machine whose answers are scripted by the last words of the prompt.

Everything but its chat is a rehearsal's. Runs in the loop of whoever enters it, in a thread of its
own for those who have no loop, or as a process: `python -m tests.scripted_exo` prints its address,
and answers "at once", "word by word" and "as at home" with as many tokens.
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self

from fleetweb.rehearsal import SMALL, Rehearsal
from fleetweb.rehearsal.wire import Exchange, Server

CUT: Final = "cut"  # the connection dies here
HOLD: Final = "hold"  # nothing more until the caller hangs up
PAUSE: Final = "pause"  # nothing more until `go_on`

Step = bytes | float | str
HEAD: Final = {"content-type": "text/event-stream; charset=utf-8", "connection": "close"}
DONE: Final = b"data: [DONE]\n\n"
LENGTH: Final = 24
PACES_S: Final = {"word by word": 0.01, "as at home": 0.04}
USAGE: Final = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def event(delta: dict[str, Any], **choice: Any) -> bytes:
    """A chunk as exo sends it: not quite standard, with the role in every delta."""
    usage = choice.pop("usage", None)
    body = {
        "id": "b2a1f9f0-0000-4000-8000-000000000000",
        "object": "chat.completion",
        "created": 1795447104,
        "model": SMALL,
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}],
        **({"usage": usage} if usage else {}),
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def tokens(count: int) -> tuple[bytes, ...]:
    """An answer of so many tokens, the last of which ends it."""
    last = event({"content": " end"}, finish_reason="stop", usage=USAGE)
    return (b": keep-alive\n\n", *(event({"content": " word"}) for _ in range(count - 1)), last)


HELLO: Final = (
    b": keep-alive\n\n",
    event({"content": "Hello"}),
    event({"content": " there."}, finish_reason="stop", usage=USAGE),
    DONE,
)


class ScriptedExo:
    """`answers` has the steps for the last message of a prompt, anything else is greeted.

    `statuses` has the status and headers of those that are refused. `asked` are the bodies as they
    came, `gone` the last messages of those who hung up in the middle.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[Step]] = {}
        self.statuses: dict[str, tuple[int, dict[str, str]]] = {}
        self.asked: list[dict[str, Any]] = []
        self.gone: list[str] = []
        self.url = ""
        self._goes_on = asyncio.Event()
        self._rehearsal = Rehearsal(nodes=1)
        self._server = Server(self._answer)

    async def __aenter__(self) -> Self:
        await self._rehearsal.start()
        await self._rehearsal.place(SMALL)
        self.url = f"http://127.0.0.1:{await self._server.open(0)}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.close()
        await self._rehearsal.stop()

    async def go_on(self) -> None:
        """End the pause of all who wait, and of all who are to come."""
        self._goes_on.set()

    async def _answer(self, exchange: Exchange) -> None:
        if exchange.request.path != "/v1/chat/completions":
            await self._rehearsal.nodes[0]._answer(exchange)
            return
        body = json.loads(exchange.request.body)
        self.asked.append(body)
        words = _last_words(body)
        if words in self.statuses:
            status, headers = self.statuses[words]
            await exchange.reply(status, {"error": {"message": "no"}}, headers=headers)
        elif body.get("stream"):
            await self._say(exchange, words)
        else:
            await exchange.reply(200, _whole(self.answers.get(words, HELLO)))

    async def _say(self, exchange: Exchange, words: str) -> None:
        try:
            await exchange.begin(200, dict(HEAD))
            for step in self.answers.get(words, HELLO):
                if step == CUT:
                    return
                if step == HOLD:
                    await exchange.gone
                elif step == PAUSE:
                    await self._goes_on.wait()
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, bytes):
                    await exchange.send(step)
                if exchange.gone.done():
                    raise ConnectionError
            await exchange.finish()
        except ConnectionError:
            self.gone.append(words)
            raise


def _last_words(body: dict[str, Any]) -> str:
    content = body["messages"][-1].get("content")
    return content if isinstance(content, str) else ""


def _whole(steps: Sequence[Step]) -> dict[str, Any]:
    """The answer of some steps as exo gives it at once."""
    events = b"".join(step for step in steps if isinstance(step, bytes)).split(b"\n\n")
    chunks = [json.loads(e.removeprefix(b"data: ")) for e in events if e.startswith(b"data: {")]
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**chunks[-1], "choices": [choice]}


class InBackground:
    """Something async, alive in a thread with an event loop of its own."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background")

    def call(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(30)

    def __enter__(self) -> Any:
        self._thread.start()
        self.call(self.thing.__aenter__())
        return self.thing

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.call(self.thing.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _run() -> None:
    async with ScriptedExo() as exo:
        said = tokens(LENGTH)
        exo.answers["at once"] = (b"".join((*said, DONE)),)
        for words, pace_s in PACES_S.items():
            exo.answers[words] = (*(s for token in said for s in (token, pace_s)), DONE)
        print(exo.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run())
