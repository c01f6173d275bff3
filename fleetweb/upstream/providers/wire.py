"""What all providers share on the wire: one POST, its answer decoded piece by piece, its faults."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec

from ...core.chat import ChatRequest, Chunk
from ...core.sse import Comment, Event, SseOverflowError, SseParser
from ...errors import ProviderError, ProviderReplyInvalid, ProviderUnavailable
from .. import http
from .base import PATIENCE, Patience, ProviderConfig
from .deadline import Deadline
from .faults import Fault, refusal

ASK_S = 5.0  # for the small questions: which models, are you there
ERROR_BODY_BYTES = 256 * 1024

T = TypeVar("T")

# beyond its own errors msgspec lets through what Python says of bytes that are no UTF-8 inside a
# string, and of brackets nested by thousands
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: where to, with what."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Decoder(Protocol):
    """Bytes of one answer in, chunks out. Raises ProviderReplyInvalid at what it cannot read.

    `finished` once the answer is complete; `closed` once nothing more will come.
    """

    finished: bool
    closed: bool

    def feed(self, data: bytes) -> Iterable[Chunk]: ...

    def end(self) -> Iterable[Chunk]:
        """What was still held back when the stream ended."""
        ...


def read_sse(parser: SseParser, data: bytes, title: str) -> list[Event | Comment]:
    """What has become complete with `data`. Raises ProviderReplyInvalid at the parser's limit."""
    try:
        return parser.feed(data)
    except SseOverflowError as error:
        raise ProviderReplyInvalid(f"{title} sent an event too long to hold.") from error


def read_json(decoder: msgspec.json.Decoder[T], text: str | bytes, title: str) -> T:
    """`text` in the decoder's shape. Raises ProviderReplyInvalid where it is something else."""
    try:
        return decoder.decode(text)
    except UNREADABLE as error:
        raise ProviderReplyInvalid(f"{title} sent what is not its format.") from error


class WireProvider(ABC):
    """A provider over HTTP; a subclass says only how it differs."""

    kind: ClassVar[str]
    leaves_house: ClassVar[bool]
    title: ClassVar[str]  # what people call it
    pulse_s: ClassVar[float | None] = None  # it promises some bytes this often, keep-alives too

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name or self.kind
        self.default_model = config.default_model
        self._url = config.url.rstrip("/")
        self._api_key = config.api_key
        # whom a message is about: of the owner's own machines there may be several
        self._whom = self.title if self.leaves_house else f"{self.title} at {http.shown(self._url)}"

    @abstractmethod
    def _call(self, request: ChatRequest, model: str) -> Call:
        """`request` in this provider's dialect. Raises ProviderRefused where it cannot."""

    @abstractmethod
    def _decoder(self) -> Decoder: ...

    @abstractmethod
    def _fault(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Fault:
        """What the body of an error tells that may be passed on."""

    @abstractmethod
    async def models(self) -> tuple[str, ...]: ...

    async def health(self) -> str | None:
        try:
            await self.models()
        except ProviderError as error:
            return str(error)
        return None

    async def stream(
        self, request: ChatRequest, model: str, *, patience: Patience = PATIENCE
    ) -> AsyncGenerator[Chunk, None]:
        call = self._call(request, model)
        deadline = Deadline(patience, self.pulse_s)
        decoder = self._decoder()
        async with self._opened(call, model, patience, deadline) as pieces:
            data: bytes | None = b""
            while data is not None and not decoder.closed:
                data = await self._next(pieces, deadline, decoder)
                deadline.heard()
                for chunk in decoder.end() if data is None else decoder.feed(data):
                    yield chunk
                    deadline.note(chunk, finished=decoder.finished)
        if not decoder.finished:
            raise ProviderReplyInvalid(f"{self._whom} broke off before its answer was complete.")

    @asynccontextmanager
    async def _opened(
        self, call: Call, model: str, patience: Patience, deadline: Deadline
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The body of a 200, in pieces; anything else is raised as what it means."""
        with self._faults(ProviderUnavailable):
            try:
                async with asyncio.timeout_at(deadline.at):
                    response = await http.post_stream(
                        call.url, call.body, call.headers, patience.connect_s
                    )
            except TimeoutError as error:
                raise deadline.passed(self._whom) from error
        async with aclosing(response):
            if response.status_code != 200:
                fault = self._fault(await self._error_body(response), call.body)
                raise self._refusal(response, model, fault)
            async with aclosing(response.aiter_bytes()) as pieces:
                yield pieces

    async def _next(
        self, pieces: AsyncGenerator[bytes, None], deadline: Deadline, decoder: Decoder
    ) -> bytes | None:
        """The next bytes, None at the end. What comes to grief after the answer is its end too."""
        try:
            async with asyncio.timeout_at(deadline.at):
                return await anext(pieces, None)
        except (TimeoutError, *http.FAULTS) as error:
            if decoder.finished:
                return None
            if isinstance(error, TimeoutError):
                raise deadline.passed(self._whom) from error
            with self._faults(ProviderReplyInvalid):
                raise

    async def _error_body(self, response: http.Response) -> dict[str, Any]:
        """The decoded body of an error, empty where it is no JSON object or does not come."""
        try:
            with self._faults(ProviderUnavailable):
                async with asyncio.timeout(ASK_S):
                    body = await http.read_limited(response, ERROR_BODY_BYTES)
            return msgspec.json.decode(body, type=dict[str, Any])
        except (ProviderError, *UNREADABLE):
            return {}

    def _refusal(self, response: http.Response, model: str, fault: Fault) -> ProviderError:
        status, headers = response.status_code, response.headers
        return refusal(self._whom, model, status, headers, fault, keyed=self._api_key is not None)

    async def _asked(self, path: str, shape: type[T], headers: Mapping[str, str]) -> T:
        """The answer to a small question, decoded into `shape`. Raises ProviderError."""
        with self._faults(ProviderUnavailable):
            async with asyncio.timeout(ASK_S):
                response = await http.client().get(self._url + path, headers=dict(headers))
        if response.status_code != 200:
            raise self._refusal(response, "that was asked for", Fault())
        try:
            return msgspec.json.decode(response.content, type=shape)
        except UNREADABLE as error:
            raise ProviderReplyInvalid(f"{self._whom} answers, but not as it should.") from error

    def _faults(self, unreachable: type[ProviderError]) -> AbstractContextManager[None]:
        return http.faults(self._whom, unreachable=unreachable, invalid=ProviderReplyInvalid)
