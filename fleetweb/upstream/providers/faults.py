"""What a provider's refusal means: whose mistake, whether another provider could cure it.

| status | error | retryable |
| --- | --- | --- |
| 404 | ProviderUnavailable: the model is not there | yes |
| 402, 408, 409, 425, 429, 5xx, a redirect | ProviderUnavailable | yes |
| 401, 403 of a provider with a key | ProviderRefused: the owner's key, not the caller | yes |
| 401, 403 of a provider without one | ProviderRefused | no |
| 400, 413, 422 and the other 4xx | ProviderRefused: the caller's own mistake | no |

A provider that cannot do what a request asks for (`unable`) refuses, and another may be able to.
Of what the other side wrote only names of fields and kinds of errors are passed on: its text may
repeat the prompt, hold a key, a path or a traceback.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ...errors import ProviderError, ProviderRefused, ProviderUnavailable

MODEL_CHARS = 100  # a caller may write anything where a model's name should be

_CURABLE = frozenset({402, 408, 409, 425, 429})
_KEY_TROUBLE = frozenset({401, 403})
_SECONDS = re.compile(r"\d{1,9}(\.\d+)?")
_TOO_LONG = re.compile(r"\b(prompt|input|context)\b.{0,60}(too long|exceed|maximum)", re.I | re.S)
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.\[\]-]{0,60}")
_NAMED_FIELD = re.compile(r"[`'\"]([A-Za-z][\w.]{1,60})[`'\"]|^([a-z_]+(?:\.[a-z0-9_]+){0,5}):")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a provider's error body tells: the field at fault, its word for the kind of error.

    `bad_key` is an invalid key under another status than 401 (Gemini says 400).
    """

    field: str | None = None
    kind: str | None = None
    bad_key: bool = False
    too_long: bool = False
    retry_after_s: float | None = None


def read_text(text: object, kind: object, sent: Mapping[str, Any]) -> Fault:
    """What may be passed on of an error's text: the name of a field of `sent`, nothing else."""
    words = text if isinstance(text, str) else ""
    names = (match[1] or match[2] for match in _NAMED_FIELD.finditer(words))
    return Fault(
        field=next((name for name in names if is_field(name, sent)), None),
        kind=identifier(kind),
        too_long=bool(_TOO_LONG.search(words)),
    )


def is_field(path: str, sent: Mapping[str, Any]) -> bool:
    """Whether a dotted path leads to a field we sent, at the top or one level below it."""
    inner = (value for value in sent.values() if isinstance(value, Mapping))
    names = {*sent, *(name for value in inner for name in value)}
    return not names.isdisjoint(path.split(".")[:2])


def identifier(value: object) -> str | None:
    """`value` if it is a short name such as a field's or an error type's, else None."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def unable(provider: str, field: str, why: str = "is not something it can do") -> ProviderRefused:
    """A provider cannot do what `field` asks for; another may."""
    error = ProviderRefused(f"{provider} cannot answer this request: `{field}` {why}.", status=400)
    error.retryable = True
    return error


def refusal(
    provider: str,
    model: str,
    status: int,
    headers: Mapping[str, str],
    fault: Fault,
    *,
    keyed: bool,
) -> ProviderError:
    """The error for an answer that is not a 200."""
    model = " ".join(model.split())[:MODEL_CHARS]
    if status in _KEY_TROUBLE or fault.bad_key:
        return _key_trouble(provider, status, keyed=keyed)
    if status == 404:
        return ProviderUnavailable(f"{provider} does not have the model {model}.", status=status)
    if status < 400 or status >= 500 or status in _CURABLE:
        retry_after_s = retry_after(headers)
        if retry_after_s is None:
            retry_after_s = fault.retry_after_s
        words = _unavailable_words(provider, status, retry_after_s)
        return ProviderUnavailable(words, status=status, retry_after_s=retry_after_s)
    if fault.too_long:
        words = f"{provider} refused the request: the prompt is too long for {model}; shorten it."
    else:
        words = f"{provider} refused the request: {_refused_words(status, fault)}."
    return ProviderRefused(words, status=status)


def _key_trouble(provider: str, status: int, *, keyed: bool) -> ProviderRefused:
    advice = "check its API key" if keyed else "it asks for a key and has none configured"
    error = ProviderRefused(f"{provider} does not let us in ({status}); {advice}.", status=status)
    error.retryable = keyed
    return error


def _unavailable_words(provider: str, status: int, retry_after_s: float | None) -> str:
    if status == 429:
        later = "later" if retry_after_s is None else f"in {retry_after_s:.0f} s"
        return f"{provider} is asked too much at the moment (429); try again {later}."
    if status == 402:
        return f"{provider} wants to be paid first (402); check its account."
    if 300 <= status < 400:
        return f"{provider} redirects ({status}); give its real address."
    return f"{provider} is in trouble of its own ({status}); try again later."


def _refused_words(status: int, fault: Fault) -> str:
    if status == 413:
        return "it is too large (413); shorten it"
    where = f"it does not accept `{fault.field}`" if fault.field else "it does not accept it"
    return f"{where} ({fault.kind or status})"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, from its number or its date; None where it says nothing.

    A date is held against the answer's own `Date`, so that the two clocks need not agree.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _date(value)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
