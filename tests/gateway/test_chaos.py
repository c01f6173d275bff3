"""A thousand requests while everything goes wrong: every caller gets one answer or one error."""

import asyncio
import random
from collections import Counter

import pytest

from fleetweb.core.streams import Outcome
from fleetweb.gateway.models import RequestMetric
from fleetweb.rehearsal import SMALL, Fault, FaultKind, Rehearsal
from fleetweb.upstream.providers import ProviderConfig, make_provider
from tests.fleet.watching import in_database

from .house import ask, house, loaded, prompt

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # A connection whose other end dies while it is made is now and then closed by the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REQUESTS = 1000
AT_ONCE = 32
TOKENS = 6
MISCHIEF = (FaultKind.EMPTY_ANSWER, FaultKind.STREAM_CUT, FaultKind.STREAM_ENDS)


async def test_every_caller_gets_one_whole_answer_or_one_clear_error(ollama):
    chance = random.Random(4711)
    providers = {"ollama": make_provider("ollama", ProviderConfig(ollama.url, default_model="o"))}
    async with (
        Rehearsal(seed=1, speed=60.0) as one,
        Rehearsal(seed=2, speed=60.0, nodes=2) as two,
        house([one, two], providers) as gateway,
    ):
        for fleet in (one, two):
            await fleet.place(SMALL, nodes=["king"])
        await loaded(SMALL)
        mischief = asyncio.create_task(_misbehave((one, two), ollama, chance))
        turn = asyncio.Semaphore(AT_ONCE)

        async def one_of_many(number):
            async with turn:
                return await ask(gateway, prompt(f"request {number}", max_tokens=TOKENS))

        all_told = await asyncio.gather(*(one_of_many(n) for n in range(REQUESTS)))
        mischief.cancel()
        await asyncio.gather(mischief, return_exceptions=True)
        assert gateway.desk.passages == {}
        rows = {row.pk: row for row in await in_database(lambda: list(RequestMetric.objects.all()))}
    assert len(rows) == REQUESTS
    for told in all_told:
        _is_consistent(told, rows[told.passage.id])
    outcomes = Counter(row.status for row in rows.values())
    assert outcomes["ok"] + outcomes["failed"] == REQUESTS
    assert outcomes["ok"] > REQUESTS / 2
    assert any(row.attempts > 1 for row in rows.values())  # something did go wrong


def _is_consistent(told, row):
    """What the caller got and what the history says are the same story."""
    attempts = told.passage.attempts
    finishes = [piece.finish_reason for piece in told.pieces if piece.finish_reason]
    assert row.status == told.passage.outcome.value
    assert row.attempts == len(attempts)
    if told.error is None:
        assert told.passage.outcome is Outcome.OK
        assert len(finishes) == 1
        assert [bool(attempt.error) for attempt in attempts] == [True] * (len(attempts) - 1) + [
            False
        ]
        assert row.completion_tokens == told.passage.measures.usage.completion_tokens
        if row.provider == "exo":
            assert told.tokens == TOKENS  # every piece once
    else:
        assert str(told.error)
        assert finishes == []
        assert all(attempt.error for attempt in attempts)


async def _misbehave(fleets, ollama, chance):
    """Doors die and come back, answers are empty, cut or end early, Ollama fails now and then."""
    while True:
        fleet = chance.choice(fleets)
        kind = chance.choice(MISCHIEF)
        fleet.inject(Fault(kind, count=chance.randint(1, 4), after_tokens=chance.randint(0, 4)))
        if chance.random() < 0.1:
            node = chance.choice(fleet.nodes[1:])  # king holds the model
            await node.kill()
            await asyncio.sleep(0.05)
            await node.restart()
        if chance.random() < 0.05:
            fleet.inject(Fault(FaultKind.RUNNER_FAILS, model=SMALL))
        ollama.status = chance.choice((200, 200, 200, 500))
        await asyncio.sleep(0.05)
