"""The one place that speaks HTTP: a client per event loop, and its faults in our words."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpcore2 as httpcore
import httpx2 as httpx
import msgspec

from ..errors import FleetError
from .sockets import Sockets

Response: TypeAlias = httpx.Response  # for those who may not import httpx

BODY_LIMIT_BYTES = 64 * 1024 * 1024
TIMEOUT = httpx.Timeout(30.0, connect=3.0, pool=3.0)
# exo's server closes an idle connection after 5 s: ours goes first, so that no request is sent into
# a connection that is just being closed.
LIMITS = httpx.Limits(max_connections=1024, max_keepalive_connections=64, keepalive_expiry=4.0)

# Nothing packed: what unpacks a stream holds tokens back until it has enough of them.
PLAIN = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "fleetweb"}

_STATUS_WORDS = {
    401: ": it wants a key, or does not accept this one",
    403: ": it refuses access",
    404: ": it does not have what was asked for",
    422: ": it does not understand the request",
    429: ": it has too much to do",
    500: ": it failed over the request",
    503: ": it is not ready",
}

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, "Client"] = WeakKeyDictionary()


class BodyTooLargeError(Exception):
    """A body went past its limit; the rest of it was not read."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes // (1024 * 1024)} MB")


# What `faults` turns into words.
FAULTS: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    BodyTooLargeError,
)


def client() -> "Client":
    """The running loop's client. It ignores proxies of the environment and follows no redirect."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _forget_closed_loops()
        _clients[loop] = Client()
    return _clients[loop]


class Client(httpx.AsyncClient):
    """httpx's, whose transports can be asked without the rest of it."""

    def __init__(self) -> None:
        self.plain = _Plain()
        self.secure = httpx.AsyncHTTPTransport(limits=LIMITS, trust_env=False)
        super().__init__(
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            transport=self.secure,
            mounts={"http://": self.plain},
        )

    async def begin(self, request: httpx.Request) -> httpx.Response:
        """The answer to `request`, body unread.

        A name and a password in its address are sent along. No cookies, no redirects, no log: what
        httpx does for those takes as long as the answer's head takes to be read.
        """
        if request.url.userinfo:
            request = next(_signed(request.url).auth_flow(request))
        transport = self.plain if request.url.scheme == "http" else self.secure
        response = await transport.handle_async_request(request)
        response.request = request
        return response


class _Plain(httpx.AsyncHTTPTransport):
    """What is not encrypted goes through sockets of our own; httpx has no parameter for them."""

    def __init__(self) -> None:  # instead of its own, which reads certificates and makes a pool
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=Sockets(),
        )


async def aclose() -> None:
    """Close the running loop's client and its connections; the next use opens a new one."""
    mine = _clients.pop(asyncio.get_running_loop(), None)
    if mine is not None:
        await mine.aclose()


def _forget_closed_loops() -> None:
    """Open connections keep their loop alive, so the weak keys alone would not let it go."""
    for loop in [loop for loop in _clients if loop.is_closed()]:
        del _clients[loop]


async def read_limited(response: httpx.Response, limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
    """The body of a streamed response, or BodyTooLargeError as soon as it proves longer."""
    if _declared_bytes(response) > limit_bytes:
        raise BodyTooLargeError(limit_bytes)
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
    return bytes(body)


def _declared_bytes(response: httpx.Response) -> int:
    declared = response.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


@contextmanager
def faults(
    whom: str,
    *,
    unreachable: type[FleetError],
    invalid: type[FleetError],
    within_s: float | None = None,
) -> Iterator[None]:
    """Turn every fault of HTTP into `unreachable` or `invalid`, in plain words.

    `whom` begins the sentence ("exo at http://10.0.0.4:52415"). `within_s` is named when time runs
    out; the deadline itself is the caller's `asyncio.timeout`, inside. Errors of this project pass
    through untouched, and so does a cancellation.
    """
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise unreachable(f"{whom} {_status_words(error.response)}") from error
    except (httpx.TimeoutException, TimeoutError) as error:
        within = "in time" if within_s is None else f"within {within_s:g} s"
        raise unreachable(f"{whom} did not answer {within}") from error
    except httpx.ConnectError as error:
        raise unreachable(f"{whom} {_connect_words(error)}") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise unreachable(f"{whom} is not an address; write it like http://host:port") from error
    except (httpx.DecodingError, BodyTooLargeError) as error:
        raise invalid(f"{whom} {_body_words(error)}") from error
    except (httpx.TransportError, httpx.StreamError) as error:
        raise unreachable(f"{whom} {_broken_words(error)}") from error


def _status_words(response: httpx.Response) -> str:
    if response.has_redirect_location:
        return f"redirects to {shown(response.headers['location'])}; give its real address"
    return f"answered {response.status_code}{_STATUS_WORDS.get(response.status_code, '')}"


def _connect_words(error: BaseException) -> str:
    causes = tuple(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refused the connection; is it running?"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "has a name that nobody knows; check its address"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "could not agree on a secure connection; check https and its certificate"
    return "could not be reached; check its address and the network"


def _broken_words(error: Exception) -> str:
    cut = "disconnected" in str(error) or "closed" in str(error)
    if isinstance(error, httpx.RemoteProtocolError) and not cut:
        return "does not speak HTTP as expected; check its address"
    return "broke off before its answer was complete"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, its causes and the members of groups: a name with two addresses fails twice."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes(member)
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _causes(cause)


def _body_words(error: Exception) -> str:
    if isinstance(error, BodyTooLargeError):
        return f"sent {error}, which is not read further"
    return "sent a body that cannot be unpacked"


def shown(url: str) -> str:
    """An address as people may see it: without a user, a password or a query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed address"
    host = parts.netloc.rpartition("@")[2]
    bare = f"{parts.scheme}://{host}{parts.path}" if host else url.partition("?")[0]
    return bare.rpartition("@")[2][:120]


async def post_stream(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str], connect_s: float
) -> httpx.Response:
    """The answer to a POST of JSON, body unread. The caller closes it and limits its silence."""
    timeout = httpx.Timeout(None, connect=connect_s, pool=connect_s)
    # Not by the client: merging headers and an empty jar of cookies costs half as much as sending.
    request = httpx.Request(
        "POST",
        _parsed(url),
        content=msgspec.json.encode(body),
        headers={**PLAIN, "content-type": "application/json", **headers},
        extensions={"timeout": timeout.as_dict()},
    )
    return await client().begin(request)


def _signed(url: httpx.URL) -> httpx.BasicAuth:
    return httpx.BasicAuth(url.username, url.password)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Of the few addresses that are asked over and over."""
    return httpx.URL(url)
