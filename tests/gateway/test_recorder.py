"""Writing the history: what somebody waits for at once, the rest with it, and nothing ends it."""

from datetime import UTC, datetime
from itertools import count

import pytest
from channels.db import database_sync_to_async

from fleetweb.gateway import recorder as recorder_module
from fleetweb.gateway.models import ApiKey, RequestMetric, RequestText, RoutingRecord
from fleetweb.gateway.recorder import Entry, Recorder

from .asked import asked

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)


_names = count(1)


@database_sync_to_async
def rows(number, **figures):
    owner = ApiKey.objects.issue(f"laptop {next(_names)}")[0]
    return [asked(owner, NOW, **figures) for _ in range(number)]


@database_sync_to_async
def told(field):
    return sorted(RequestMetric.objects.values_list(field, flat=True))


@pytest.fixture
def transactions(monkeypatch):
    """How many entries each of them had."""
    sizes = []
    commit = recorder_module._commit

    def counted(entries):
        sizes.append(len(entries))
        commit(entries)

    monkeypatch.setattr(recorder_module, "_commit", counted)
    return sizes


async def test_what_nobody_waits_for_is_written_with_what_somebody_does(transactions):
    notes, (urgent,) = await rows(20, status="running"), await rows(1)
    recorder = Recorder()
    for row in notes:
        recorder.note(Entry(row))
    recorder.start()
    try:
        await recorder.commit(Entry(urgent))
    finally:
        await recorder.close()
    assert transactions == [21]
    assert await told("status") == ["ok", *["running"] * 20]


async def test_a_note_is_written_though_nobody_asks_for_more(transactions):
    (note,) = await rows(1, status="running")
    recorder = Recorder()
    recorder.start()
    try:
        recorder.note(Entry(note))
        while not await told("status"):
            pass
    finally:
        await recorder.close()
    assert transactions == [1]


async def test_a_row_that_no_database_takes_does_not_end_the_writing(caplog):
    impossible, good = await rows(1, prompt_tokens=10**30), await rows(1, prompt_tokens=7)
    recorder = Recorder()
    recorder.start()
    try:
        for row in (*impossible, *good):
            await recorder.commit(Entry(row))
    finally:
        await recorder.close()
    assert await told("prompt_tokens") == [7]
    assert "could not be written" in caplog.text


async def test_a_nul_in_what_was_asked_or_said_costs_no_row():
    """PostgreSQL takes none in texts, and none in JSON."""
    (metric,) = await rows(1, model="a\0b", error="\0")
    said = [{"role": "user", "content": "Say \0", "\0": ["\0", 1, None]}]
    routing = RoutingRecord(request_id=metric.pk, reason="\0", attempts=[{"model": "a\0b"}])
    text = RequestText(request_id=metric.pk, messages=said, answer="Here: \0")
    recorder = Recorder()
    recorder.start()
    try:
        await recorder.commit(Entry(metric, routing, text))
    finally:
        await recorder.close()
    kept = await RequestMetric.objects.select_related("routing", "text").aget()
    assert (kept.model, kept.error) == ("a\ufffdb", "\ufffd")
    assert (kept.routing.reason, kept.routing.attempts) == ("\ufffd", [{"model": "a\ufffdb"}])
    said = [{"role": "user", "content": "Say \ufffd", "\ufffd": ["\ufffd", 1, None]}]
    assert (kept.text.messages, kept.text.answer) == (said, "Here: \ufffd")
