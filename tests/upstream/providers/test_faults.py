"""What a status and an error's text come to mean, apart from any provider."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.errors import ProviderRefused, ProviderUnavailable
from fleetweb.upstream.providers.faults import Fault, read_text, refusal, retry_after

SENT = {"temperature": 2, "generationConfig": {"topK": 1}, "messages": []}


def words(status: int, fault: Fault | None = None, *, keyed: bool = False, model: str = "m") -> str:
    return str(refusal("Claude", model, status, {}, fault or Fault(), keyed=keyed))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "wants to be paid"),
        (404, "does not have the model m"),
        (413, "too large"),
        (429, "asked too much"),
        (302, "redirects"),
        (503, "in trouble of its own (503)"),
        (418, "does not accept it (418)"),
    ],
)
def test_every_status_has_its_words(status: int, said: str) -> None:
    assert said in words(status)


def test_a_key_is_asked_for_or_to_be_checked() -> None:
    assert "check its API key" in words(401, keyed=True)
    assert "has none configured" in words(401, keyed=False)


def test_a_models_name_cannot_make_a_message_long_or_broken() -> None:
    said = words(404, model="x\n" * 500)
    assert len(said) < 200
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("temperature: range: 0..1", "temperature"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("messages.0.content: bad", "messages.0.content"),
        ("Invalid value at 'generation_config.topK' (TYPE_FLOAT)", "generation_config.topK"),
        ("the word 'secret' is not allowed", None),
        ("secret: is not allowed", None),
        ("", None),
        (None, None),
        (["temperature: x"], None),
    ],
)
def test_only_fields_we_sent_are_named(text: object, field: str | None) -> None:
    assert read_text(text, None, SENT).field == field


@pytest.mark.parametrize(
    ("text", "too_long"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", True),
        ("The input token count (9) exceeds the maximum number of tokens allowed", True),
        ("input length and `max_tokens` exceed context limit", True),
        ("max_tokens: 100000 > 64000, which is the maximum number of output tokens", False),
        ("temperature: too long a number", False),
    ],
)
def test_a_prompt_that_is_too_long_is_known(text: str, too_long: bool) -> None:
    assert read_text(text, None, SENT).too_long is too_long


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (" 12 ", 12.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("inf", None),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    headers = {"retry-after": value, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert retry_after(headers) == seconds


def test_a_date_without_another_to_hold_it_against_is_held_against_now() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


@given(st.text(), st.text())
def test_no_header_can_break_it(value: str, date: str) -> None:
    seconds = retry_after({"retry-after": value, "date": date})
    assert seconds is None or seconds >= 0


@given(st.integers(100, 599), st.booleans(), st.booleans())
def test_whatever_is_not_the_callers_fault_may_be_cured_elsewhere(
    status: int, keyed: bool, bad_key: bool
) -> None:
    error = refusal("Claude", "m", status, {}, Fault(bad_key=bad_key), keyed=keyed)
    if isinstance(error, ProviderUnavailable):
        assert error.retryable
    else:
        assert isinstance(error, ProviderRefused)
        assert error.retryable == (keyed and (bad_key or status in (401, 403)))
