"""One HTTP request and its answer, in ASGI's messages."""

import asyncio
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from fleetweb.core.openai import InvalidRequest, answer_to, error_body, error_event
from fleetweb.errors import FleetError

from ..access.sockets import Receive, Scope, Send

BODY_LIMIT_BYTES: Final = 32 * 1024 * 1024
BODY_PATIENCE_S: Final = 30.0
JSON: Final = "application/json"
# Answers are for whoever asked, this once.
ALWAYS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Headers = Mapping[str, str]


class CallerLeftError(Exception):
    """Nobody listens any more."""


@dataclass(slots=True)
class Exchange:
    """What was asked, and the way back. `begun` once the status is sent and can't be changed."""

    scope: Scope
    receive: Receive
    send: Send
    headers: dict[str, str] = field(init=False)  # names in lower case
    begun: bool = False

    def __post_init__(self) -> None:
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.scope["headers"]
        }

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    async def body(self) -> bytes:
        """The whole body. Raises InvalidRequest for one too large, CallerLeftError without end."""
        if self.headers.get("content-encoding", "identity") != "identity":
            raise InvalidRequest("Send the body as it is, without Content-Encoding.", status=415)
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > BODY_LIMIT_BYTES:
            raise _too_large()
        body = bytearray()
        while True:
            message = await self._received_soon()
            if message["type"] == "http.disconnect":
                raise CallerLeftError
            body += message.get("body", b"")
            if len(body) > BODY_LIMIT_BYTES:
                raise _too_large()
            if not message.get("more_body"):
                return bytes(body)

    async def _received_soon(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(BODY_PATIENCE_S):
                return await self.receive()
        except TimeoutError:
            waited = f"{BODY_PATIENCE_S:.0f} s"
            raise InvalidRequest(f"No more of the body came for {waited}.", status=408) from None

    async def while_listening(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, which answers; where the caller goes away first, end it at once."""
        working = asyncio.create_task(work)
        leaving = asyncio.create_task(self._left())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Headers) -> None:
        self.begun = True
        told = [(n.encode(), v.encode("latin-1")) for n, v in {**ALWAYS, **headers}.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": told})

    async def write(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        await self.send({"type": "http.response.body", "body": data})

    async def reply(self, status: int, body: Any, headers: Headers | None = None) -> None:
        """A whole answer in JSON; to HEAD, all of it but the body. None is no body at all."""
        data = b"" if body is None else msgspec.json.encode(body)
        kind = {} if body is None else {"content-type": JSON}
        await self.begin(status, {**kind, "content-length": str(len(data)), **(headers or {})})
        await self.finish(b"" if self.method == "HEAD" else data)

    async def refuse(self, error: FleetError, headers: Headers | None = None) -> None:
        """What went wrong: as a status, or as the last event of a stream that has begun."""
        answer = answer_to(error)
        if self.begun:
            await self.finish(error_event(answer.body))
            return
        told = dict(headers or {})
        if answer.retry_after_s is not None:
            told["retry-after"] = str(max(1, math.ceil(answer.retry_after_s)))
        await self.reply(answer.status, answer.body, told)

    async def fail(self) -> None:
        """A mistake of ours: its details stand in the log."""
        body = error_body("fleetweb failed over this request. Its log says why.")
        if self.begun:
            await self.finish(error_event(body))
        else:
            await self.reply(500, body)


def _too_large() -> InvalidRequest:
    megabytes = BODY_LIMIT_BYTES // 2**20
    return InvalidRequest(f"The body is larger than {megabytes} MB; send less.", status=413)
