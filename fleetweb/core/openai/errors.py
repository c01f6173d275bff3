"""Errors as OpenAI's clients expect them: a status, and a body `{"error": {…}}`."""

from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import (
    AllFailed,
    FleetError,
    ModelUnknown,
    NoCandidate,
    ProviderError,
    ProviderRefused,
    ProviderReplyInvalid,
    ProviderUnavailable,
)

INVALID_REQUEST = "invalid_request_error"
RATE_LIMIT = "rate_limit_error"
SERVER_ERROR = "server_error"

# What a provider's refusal may tell the caller; the rest (401, 403) is between it and the owner.
_CALLERS_MISTAKES = frozenset({400, 413, 422})


class InvalidRequest(ProviderRefused):
    """The body is not a chat request. `param` names the field, None where it is the whole body."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message, status=status)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error, ready to be sent; `retry_after_s` belongs into `Retry-After`, None for none."""

    status: int
    body: dict[str, Any]
    retry_after_s: float | None = None


def error_body(
    message: str, kind: str = SERVER_ERROR, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The body of an error; `kind` becomes its `type`."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(body: dict[str, Any]) -> bytes:
    """An error as the last event of a stream that has begun. No `[DONE]` follows it."""
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def answer_to(error: FleetError) -> ErrorAnswer:
    """What a caller is told of `error`: the status says whose turn it is, the message says why."""
    cause = _telling(error)
    status, kind, code = _classified(cause)
    param = cause.param if isinstance(cause, InvalidRequest) else None
    if isinstance(cause, InvalidRequest) and cause.code is not None:
        code = cause.code
    retry = cause.retry_after_s if isinstance(cause, ProviderError) else None
    return ErrorAnswer(status, error_body(str(error), kind, param=param, code=code), retry)


def _telling(error: FleetError) -> FleetError:
    """Of several attempts, the last one decides the status."""
    return error.attempts[-1] if isinstance(error, AllFailed) and error.attempts else error


def _classified(error: FleetError) -> tuple[int, str, str | None]:
    match error:
        case InvalidRequest(status=status):
            return status or 400, INVALID_REQUEST, None
        case ProviderRefused(status=status) if status in _CALLERS_MISTAKES or status is None:
            return status or 400, INVALID_REQUEST, None
        case ProviderRefused():
            return 502, SERVER_ERROR, "provider_refused"
        case ProviderUnavailable(status=429):
            return 429, RATE_LIMIT, "rate_limit_exceeded"
        case ProviderUnavailable(status=404) | ModelUnknown():
            return 404, INVALID_REQUEST, "model_not_found"
        case NoCandidate():
            return 503, SERVER_ERROR, "no_candidate"
        case ProviderReplyInvalid():
            return 502, SERVER_ERROR, "reply_invalid"
        case ProviderUnavailable():
            return 503, SERVER_ERROR, "provider_unavailable"
        case _:
            return 503, SERVER_ERROR, None
