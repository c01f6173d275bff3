"""The one who watches: two of them, several clusters, a sick database, an end and a new start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db import OperationalError

from fleetweb.core import words
from fleetweb.core.inference import nobody_yet
from fleetweb.core.presence import CognitiveState, Condition, FleetPresence
from fleetweb.fleet import live
from fleetweb.fleet.cluster_poller import ClusterPoller
from fleetweb.fleet.memory import Memory
from fleetweb.fleet.models import LeaseManager, NodeSample, PollerLease, PresenceSpan
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.signals import presence_published
from fleetweb.rehearsal import Rehearsal
from tests.rehearsal.waiting import until

from .looking import PATIENCE_S, asked, asked_more, clock, gaps
from .watching import everybody_here, in_database, recorded, shown, watching

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("swift")
async def test_publishes_every_machine_of_the_fleet(fleet):
    async with watching(fleet.urls[:1]):
        presence = await shown(everybody_here)
    assert [node.name for node in presence.nodes] == ["king", "soldier1", "soldier2", "soldier3"]
    assert presence.sequence > 0


async def test_of_two_only_one_polls_and_the_other_goes_on_when_it_ends(fleet):
    async with watching(fleet.urls[:1]) as first:
        await until(lambda: first.lease.held, PATIENCE_S)
        async with watching(fleet.urls[:1]) as second:
            await shown(everybody_here)
            assert not second.lease.held
            assert not second._clusters
            first_asks = await asked_more(fleet, 2)
            assert min(gaps(first_asks)) > 0.95
        await asked_more(fleet, 1)
        async with watching(fleet.urls[:1]) as second:
            await until(lambda: second.lease._once._said, PATIENCE_S)
            first.lease.held = False  # as after its end
            await in_database(partial(PollerLease.objects.give_up, first.lease.holder))
            await until(lambda: second.lease.held or first.lease.held, PATIENCE_S)
            assert second.lease.held is not first.lease.held


@pytest.mark.usefixtures("swift")
async def test_a_lease_that_is_lost_ends_the_polling(fleet):
    async with watching(fleet.urls[:1]) as poller:
        await shown(everybody_here)
        await in_database(lambda: PollerLease.objects.update(holder="somebody else"))
        await until(lambda: not poller._clusters, PATIENCE_S)
        assert not poller.lease.held


@pytest.mark.usefixtures("swift")
async def test_sequences_go_on_rising_under_a_poller_whose_clock_is_behind(fleet, monkeypatch):
    async with watching(fleet.urls[:1]):
        before = await shown(everybody_here)
    ahead = before.sequence + 3_600_000
    monkeypatch.setattr(Poller, "_next_sequence", lambda *_: ahead)
    async with watching(fleet.urls[:1]):
        await shown(lambda presence: presence.sequence == ahead)
    monkeypatch.undo()
    async with watching(fleet.urls[:1]):
        await shown(lambda presence: presence.sequence > ahead)


async def test_two_doors_of_one_cluster_are_united(fleet):
    async with watching(fleet.urls[:2]) as poller:
        presence = await shown(lambda seen: everybody_here(seen) and len(seen.clusters) == 1)
        (cluster,) = poller._clusters
        united = await asked_more(fleet, 2)
    assert set(fleet.urls[:2]) <= cluster.doors.keys()
    assert {node.cluster for node in presence.nodes} == {cluster.name}
    assert min(gaps(united)) > 0.95


@pytest.mark.usefixtures("swift")
async def test_two_clusters_stay_apart(fleet):
    async with Rehearsal(nodes=1, seed=2) as other, watching([fleet.urls[0], other.urls[0]]):
        presence = await shown(
            lambda seen: [c.condition for c in seen.clusters] == [Condition.WELL] * 2
        )
    assert len({node.cluster for node in presence.nodes if node.exo}) == 2
    assert [n.name for n in presence.nodes if n.exo].count("king-2") == 1


@pytest.mark.usefixtures("swift")
async def test_says_at_which_doors_a_cluster_may_be_asked(fleet):
    async with watching(fleet.urls[:1]):
        presence = await shown(
            lambda seen: seen.clusters and {d.node for d in seen.clusters[0].doors} >= {"king"}
        )
    (door,) = [door for door in presence.clusters[0].doors if door.node == "king"]
    assert (door.url, door.answers) == (fleet.urls[0], True)


async def test_one_more_who_watches_wakes_it(fleet):
    async with watching(fleet.urls[:1]) as poller:
        await shown(everybody_here)
        await asked_more(fleet, 1)
        last = asked(fleet)[-1]
        poller.watchers_changed("here", 1)
        (woken,) = await asked_more(fleet, 1)
        assert 0.95 <= woken - last < 2.0
        assert poller.watchers == 1
        poller.watchers_changed("here", 0)
        assert poller.watchers == 0


@pytest.mark.usefixtures("swift")
async def test_watchers_that_are_not_confirmed_are_forgotten(fleet, monkeypatch):
    poller = Poller(fleet.urls, ())
    poller.watchers_changed("gone", 5)
    assert poller.watchers == 5
    later = asyncio.get_running_loop().time() + 60
    monkeypatch.setattr("fleetweb.fleet.poller._seconds", lambda: later)
    assert poller.watchers == 0


def sick(*_: object, **__: object) -> None:
    raise OperationalError("database is locked")


@pytest.mark.usefixtures("swift")
async def test_a_database_that_fails_costs_only_what_would_have_been_written(
    fleet, monkeypatch, caplog
):
    async with watching(fleet.urls[:1]):
        await shown(everybody_here)
        await recorded(PresenceSpan.objects.going_on().count)
        began = await in_database(lambda: set(PresenceSpan.objects.values_list("pk")))
        with caplog.at_level(logging.INFO, "fleetweb.fleet"):
            monkeypatch.setattr(LeaseManager, "take", sick)
            monkeypatch.setattr(Memory, "_keep", sick)
            await until(lambda: "does not answer" in caplog.text, PATIENCE_S)
            before = await shown()
            await shown(lambda seen: seen.sequence > before.sequence + 2500)  # ms: many beats
            await fleet.node("soldier3").kill()
            await shown(lambda seen: seen.node("soldier3").load.state is CognitiveState.OFFLINE)
            monkeypatch.undo()
            await until(lambda: "answers again" in caplog.text, PATIENCE_S)
        assert caplog.text.count("The database does not answer") == 1
        after = await recorded(
            lambda: PresenceSpan.objects.going_on().filter(state="offline").first()
        )
        going_on = await in_database(lambda: set(PresenceSpan.objects.going_on().values_list("pk")))
    # What lasted was not cut in two; what changed meanwhile is written down now.
    assert len(going_on - began) == 1
    assert (after.pk,) in going_on - began


@pytest.mark.usefixtures("swift")
async def test_gives_way_while_the_database_fails_to_whoever_is_seen_to_poll(fleet, monkeypatch):
    async with watching(fleet.urls[:1]) as poller:
        presence = await shown(everybody_here)
        monkeypatch.setattr(LeaseManager, "take", sick)
        await until(lambda: not poller.lease.is_certain, PATIENCE_S)
        others = presence.sequence + 3_600_000
        monkeypatch.setattr(live, "current", _shows(others))
        await until(lambda: not poller._clusters, PATIENCE_S)


@pytest.mark.usefixtures("swift")
async def test_says_that_another_process_watches_where_it_sees_nothing_of_it(fleet, monkeypatch):
    """A second `serve` on one data directory, without Redis."""
    monkeypatch.setattr(live, "is_near", lambda: True)
    await in_database(lambda: PollerLease.objects.take("elsewhere", timedelta(hours=1)))
    monkeypatch.setattr("fleetweb.fleet.lease.VALID_FOR", timedelta(hours=1))
    async with watching(fleet.urls[:1]):
        seen = await shown()
        assert (seen.sentence, seen.nodes) == (words.FLEET_WATCHED_ELSEWHERE, ())
        await in_database(lambda: PollerLease.objects.give_up("elsewhere"))
        assert (await shown(everybody_here_and_somebody)).sentence != seen.sentence


def everybody_here_and_somebody(presence: FleetPresence) -> bool:
    return bool(presence.nodes) and everybody_here(presence)


def _shows(sequence: int) -> Callable[[], Awaitable[FleetPresence]]:
    async def current() -> FleetPresence:
        return replace(nobody_yet(clock()), sequence=sequence)

    return current


@pytest.mark.usefixtures("swift")
async def test_a_receiver_that_fails_is_logged_once_and_costs_its_own_beat(fleet, caplog):
    calls = []

    async def receiver(presence, **_):
        calls.append(presence.sequence)
        raise ZeroDivisionError("a page could not be drawn")

    presence_published.connect(receiver)
    try:
        async with watching(fleet.urls[:1]):
            await until(lambda: len(calls) >= 3, PATIENCE_S)
    finally:
        presence_published.disconnect(receiver)
    assert len([r for r in caplog.records if "beat of the poller failed" in r.message]) == 1


@pytest.mark.usefixtures("swift")
async def test_a_clean_end_closes_what_was_open_and_gives_the_lease_up(fleet):
    async with watching(fleet.urls[:1]):
        await shown(everybody_here)
        await recorded(PresenceSpan.objects.going_on().count)
    left = await in_database(PresenceSpan.objects.going_on().count)
    lease = await in_database(PollerLease.objects.get)
    assert (left, lease.holder) == (0, "")


@pytest.mark.usefixtures("swift")
async def test_after_a_crash_open_spans_end_with_the_last_beat_and_new_ones_begin(
    fleet, monkeypatch
):
    async with watching(fleet.urls[:1]):
        await shown(everybody_here)
        await recorded(PresenceSpan.objects.going_on().count)
        monkeypatch.setattr(Memory, "close", lambda *_: None)  # kill -9 closes nothing
        monkeypatch.setattr(LeaseManager, "give_up", lambda *_: None)
    monkeypatch.undo()
    cut_off = await in_database(lambda: set(PresenceSpan.objects.values_list("pk", flat=True)))
    last_beat = (await in_database(PollerLease.objects.get)).renewed_at
    async with watching(fleet.urls[:1]) as poller:
        await until(lambda: poller._presence, PATIENCE_S)
        assert {span.node for span in poller._presence.spans} >= {"king"}  # the ribbon is back
        await recorded(PresenceSpan.objects.going_on().count)
        ended = await in_database(lambda: list(PresenceSpan.objects.filter(pk__in=cut_off)))
    assert cut_off
    assert all(span.ended_at == max(span.started_at, last_beat) for span in ended)


@pytest.mark.usefixtures("swift")
async def test_figures_are_kept_and_what_exo_does_not_say_is_none():
    async with Rehearsal(nodes=1) as fleet, watching(fleet.urls):
        sample = await recorded(NodeSample.objects.select_related("node").first)
    assert sample.node.name == "king"
    assert sample.memory_total_bytes
    assert sample.state == "idle"


async def test_an_end_that_comes_together_with_news_is_an_end():
    """In Python 3.11 asyncio.wait_for would lose it, and the process would never stop."""
    poller = Poller((), ())
    running = asyncio.create_task(poller.run())
    await until(lambda: poller.lease.held and poller._news._waiters, PATIENCE_S)
    poller._news.set()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=PATIENCE_S)
    assert done


async def test_an_end_that_comes_together_with_a_request_to_look_is_an_end(fleet):
    poller = ClusterPoller(fleet.urls[0], clock, lambda: None)
    running = asyncio.create_task(poller.run())
    await until(lambda: poller._asked_now._waiters, PATIENCE_S)
    poller.look_now()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=PATIENCE_S)
    assert done
