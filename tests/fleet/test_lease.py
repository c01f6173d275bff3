"""Of any number of pollers exactly one polls, by the database's own clock."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now

from fleetweb.fleet.models import PollerLease

VALID_FOR = timedelta(seconds=3.5)

pytestmark = pytest.mark.django_db(transaction=True)


def take(holder: str) -> bool:
    return PollerLease.objects.take(holder, VALID_FOR) is not None


def grow_old(seconds: float) -> None:
    PollerLease.objects.update(renewed_at=Now() - timedelta(seconds=seconds))


def test_the_first_has_it_and_the_second_does_not():
    assert take("one")
    assert not take("two")
    assert take("one")


def test_one_that_was_not_renewed_is_free():
    assert take("one")
    grow_old(3.0)
    assert not take("two")
    grow_old(4.0)
    assert take("two")
    assert not take("one")


def test_whoever_takes_over_learns_when_the_last_beat_was():
    take("one")
    grow_old(60)
    before = PollerLease.objects.get().renewed_at
    assert PollerLease.objects.take("two", VALID_FOR) == before


def test_giving_it_up_lets_the_next_begin_at_once():
    take("one")
    PollerLease.objects.give_up("two")
    assert not take("two")
    PollerLease.objects.give_up("one")
    assert take("two")


def test_the_clock_of_a_machine_that_is_wrong_takes_nothing(monkeypatch):
    take("one")
    tomorrow = PollerLease.objects.get().renewed_at + timedelta(days=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: tomorrow)
    assert not take("two")


def test_of_many_that_try_at_once_one_gets_it():
    PollerLease.objects.take("gone", VALID_FOR)
    grow_old(10)
    won: list[str] = []
    together = threading.Barrier(8)

    def attempt(holder: str) -> None:
        together.wait()
        if take(holder):
            won.append(holder)
        connections.close_all()

    rivals = [threading.Thread(target=attempt, args=(f"rival-{n}",)) for n in range(8)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert len(won) == 1
