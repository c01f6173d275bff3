"""Server-sent events from bytes as they come, comments kept: exo says its progress in them."""

from dataclasses import dataclass

DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is its data lines joined by newlines; `name` is its `event:` field."""

    data: str
    name: str = "message"


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment line, without its colon and the space after it."""

    text: str


class SseOverflowError(ValueError):
    """A line or an event is longer than the parser was told to hold."""


class SseParser:
    """Bytes in, events and comments out, however the bytes are cut.

    Lines end in LF, CRLF or CR. An event counts when its empty line has come: one that is cut
    off is never given out. Bytes that are not UTF-8 become U+FFFD.
    Source: WHATWG HTML, server-sent events, 9.2.6 "Interpreting an event stream".
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._pending = b""
        self._at_start = True
        self._skip_lf = False
        self._data: list[str] = []
        self._held = 0
        self._name = ""

    def feed(self, data: bytes) -> list[Event | Comment]:
        """What has become complete with `data`. Raises SseOverflowError at the limit."""
        found: list[Event | Comment] = []
        for line in self._lines(data):
            item = self._take(line)
            if item is not None:
                found.append(item)
        return found

    def _lines(self, data: bytes) -> list[str]:
        if self._skip_lf and data:  # the last read ended in CR: an LF now belongs to that line
            data = data.removeprefix(b"\n")
            self._skip_lf = False
        lines = (self._pending + data).splitlines(keepends=True)
        ended = bool(lines) and lines[-1].endswith((b"\n", b"\r"))
        self._pending = b"" if ended or not lines else lines.pop()
        self._skip_lf = ended and lines[-1].endswith(b"\r")
        self._check(len(self._pending))
        return [self._text(line) for line in lines]

    def _text(self, line: bytes) -> str:
        if self._at_start:
            line = line.removeprefix(_BOM)
            self._at_start = False
        return line.rstrip(b"\r\n").decode("utf-8", "replace")

    def _take(self, line: str) -> Event | Comment | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            return Comment(value)
        if field == "data":
            self._check(len(value))
            self._held += len(value)
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name, self._held = [], "", 0
        return Event("\n".join(data), name or "message") if data else None

    def _check(self, more: int) -> None:
        if self._held + more > self._limit:
            raise SseOverflowError(f"an event is longer than {self._limit} bytes")
