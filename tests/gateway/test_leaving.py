"""Callers who go away, again and again: exo is freed and nothing is left behind."""

import asyncio
import os
from contextlib import aclosing

import pytest

from fleetweb.rehearsal import SMALL
from tests.rehearsal.waiting import until

from .house import ME, ask, house, loaded, prompt

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = 500
AT_ONCE = 8
SLACK = 12  # connections kept alive, and threads that come and go


def descriptors():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def tasks():
    return len(asyncio.all_tasks())


async def leave_after_the_first_word(gateway):
    passage = gateway.begin(prompt(max_tokens=4000), ME)
    async with aclosing(gateway.answer(passage)) as pieces:
        async for piece in pieces:
            if piece.has_output:
                return


async def test_five_hundred_callers_who_leave_free_exo_and_leave_nothing(fleet):
    async with house([fleet]) as gateway:
        await loaded(SMALL)
        await ask(gateway, prompt())
        before = descriptors(), tasks()
        for _ in range(TIMES // AT_ONCE):
            await asyncio.gather(*(leave_after_the_first_word(gateway) for _ in range(AT_ONCE)))
        await until(lambda: not [t for t in fleet.tasks if t.status in ("Pending", "Running")])
        assert gateway.desk.passages == {}
        cancelled = [task for task in fleet.tasks if task.status == "Cancelled"]
        assert len(cancelled) == TIMES // AT_ONCE * AT_ONCE
        told = await ask(gateway, prompt())
        assert told.error is None
        assert descriptors() <= before[0] + SLACK
        await until(lambda: tasks() <= before[1] + SLACK)  # the fleet's runners stop in their time
