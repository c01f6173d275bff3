"""An invented history is believable: who is away answers nothing, what failed says who it was."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TestCase

from fleetweb.core.buckets import Resolution, at_of
from fleetweb.core.happenings import HappeningKind
from fleetweb.fleet.models import Happened, Node, NodeRollup, NodeSample, PresenceSpan
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.web.requests.tries import tries_of
from fleetweb.web.requests.waterfall import Phase, legs_of
from fleetweb.web.requests.why import why

REQUESTS = 6000
NOW = datetime(2026, 3, 5, 12, 30, tzinfo=UTC)


def seed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: NOW)
        call_command("seed_history", requests=REQUESTS, days=3, nodes=8, stdout=StringIO())


def away() -> list[tuple[str, object, object]]:
    spans = PresenceSpan.objects.filter(state="offline").select_related("node")
    return [(span.node.name, span.started_at, span.ended_at) for span in spans]


def ok() -> list[RequestMetric]:
    rows = RequestMetric.objects.filter(status="ok", cached=False)
    return list(rows.select_related("routing"))


def written() -> list[list[object]]:
    """What does not depend on the hour it is written in."""
    requests = RequestMetric.objects.order_by("id").values_list("id", "node", "status", "error")
    routes = RoutingRecord.objects.order_by("request_id").values_list("reason", "candidates")
    samples = NodeSample.objects.order_by("node__name", "at")
    return [
        [(name[-8:], *more) for name, *more in requests],
        [*routes],
        [*samples.values_list("node__name", "power_w")],
        [*Happened.objects.values_list("words", flat=True)],
    ]


@pytest.mark.django_db
class TestSeededPast(TestCase):
    """One history for all of them: to write it takes longer than to look at it."""

    @classmethod
    def setUpTestData(cls):
        seed()

    def test_who_is_away_is_not_asked(self):
        for name, began, ended in away():
            asked = RequestMetric.objects.filter(asked_at__gte=began, asked_at__lt=ended)
            assert not [one.id for one in asked if name in (one.node, *one.nodes)]

    def test_who_goes_away_leaves_what_it_had_in_hand_unanswered(self):
        for name, began, ended in away():
            answered = RequestMetric.objects.filter(
                status="ok", asked_at__lt=ended, ended_at__gt=began
            )
            assert not [one.id for one in answered if name in (one.node, *one.nodes)]

    def test_doors_that_are_away_are_no_candidates(self):
        for name, began, ended in away():
            routed = RoutingRecord.objects.filter(
                request__asked_at__gte=began, request__asked_at__lt=ended
            )
            there = [c for record in routed for c in record.candidates if c["node"] == name]
            assert all(c["excluded"] for c in there)

    def test_failures_name_whom_they_are_of(self):
        failed = RequestMetric.objects.filter(status="failed")
        assert len({one.error.split(" ", 3)[-1] for one in failed}) > 3
        titles = {"ollama": "Ollama", "gemini": "Gemini", "claude": "Claude"}
        for one in failed:
            names = one.nodes or [titles[one.provider]]
            assert any(name in one.error for name in names), one.error

    def test_some_think_first_and_some_answer_at_once(self):
        legs = [legs_of(one, tries_of(one), one.asked_at) for one in ok()]
        phases = [{leg.phase for leg in of_one} for of_one in legs]
        thinking = sum(Phase.THINKING in of_one for of_one in phases)
        assert 0 < thinking < len(legs) / 2
        assert sum(Phase.ANSWERING in of_one for of_one in phases) > len(legs) * 0.95

    def test_as_many_tries_are_written_down_as_there_were(self):
        for one in RequestMetric.objects.filter(routing__isnull=False).select_related("routing"):
            assert len(tries_of(one)) == one.attempts
        assert RequestMetric.objects.filter(attempts=2, routing__isnull=False).exists()

    def test_routes_have_rivals_and_estimates_that_are_off(self):
        at_home = [one.routing for one in ok() if one.node]
        assert {len(record.candidates) for record in at_home} <= {2, 3, 4}
        assert any(c["excluded"] for record in at_home for c in record.candidates)
        assert all(any(c["parts"].values()) for record in at_home for c in record.candidates)
        off = [
            abs(one.routing.estimated_latency_ms / (one.ttft_ms - one.waited_ms) - 1)
            for one in ok()
            if one.node
        ]
        assert 0.1 < sorted(off)[len(off) // 2] < 0.5

    def test_the_doors_of_one_cluster_expect_the_same(self):
        for one in ok():
            doors = {}
            for candidate in one.routing.candidates:
                doors.setdefault(candidate["cluster"], set()).add(candidate["estimated_latency_ms"])
            assert all(len(estimates) == 1 for estimates in doors.values())

    def test_some_requests_have_something_to_regret(self):
        cards = [why(one, tries_of(one)) for one in ok()[:800]]
        assert any(card and "Another might have been quicker" in card.regret for card in cards)
        assert any(card and "Nobody was expected to be quicker" in card.regret for card in cards)

    def test_answers_from_the_cache_have_no_speed_no_door_and_no_route(self):
        cached = RequestMetric.objects.filter(cached=True)
        assert cached.exists()
        for one in cached.select_related("routing"):
            assert (one.tokens_per_s, one.node, one.attempts, one.cost_usd) == (None, "", 0, 0)
            assert one.prompt_tokens
            assert not hasattr(one, "routing")

    def test_the_newest_day_has_samples_every_ten_seconds(self):
        node = Node.objects.first()
        ends_at = PresenceSpan.objects.order_by("-ended_at").first().ended_at
        samples = list(NodeSample.objects.for_node(node.name))
        assert ends_at - timedelta(days=1) <= samples[0].at <= samples[-1].at < ends_at
        assert not NodeSample.objects.filter(state="offline").exists()
        apart = {(b.at - a.at).total_seconds() for a, b in pairwise(samples)}
        assert min(apart) == 10
        assert None not in {value for s in samples for value in (s.power_w, s.memory_used_bytes)}

    def test_samples_are_what_the_rollups_of_their_minutes_say(self):
        first_at = NodeSample.objects.first().at
        rows = NodeRollup.objects.filter(
            resolution=Resolution.MINUTE, start_s__gte=int(first_at.timestamp())
        ).select_related("node")
        assert rows.count() > 1000
        for row in rows.order_by("pk")[::250]:
            begins_at = at_of(row.start_s)
            kept = NodeSample.objects.filter(
                node=row.node, at__gte=begins_at, at__lt=begins_at + timedelta(minutes=1)
            )
            assert row.samples == len(kept)
            power = [s.power_w for s in kept]
            assert row.figures[7] == [len(power), pytest.approx(sum(power), abs=0.002), max(power)]
            hot = [s.temperature_c for s in kept]
            assert row.figures[6] == [len(hot), pytest.approx(sum(hot), abs=0.002), max(hot)]

    def test_machines_were_seen_from_first_to_last(self):
        for node in Node.objects.all():
            here = PresenceSpan.objects.for_node(node.name).exclude(state="offline")
            assert node.first_seen_at == here.order_by("started_at").first().started_at
            assert node.last_seen_at == here.order_by("-ended_at").first().ended_at
            assert node.cluster

    def test_elections_and_new_versions_left_their_marks(self):
        kinds = set(Happened.objects.values_list("kind", flat=True))
        assert kinds == {HappeningKind.ELECTION, HappeningKind.RESTARTED, HappeningKind.SYSTEM}
        assert Happened.objects.count() < 20

    def test_the_same_seed_writes_the_same(self):
        before = written()
        with transaction.atomic():
            for model in (RequestMetric, PresenceSpan, NodeSample, NodeRollup, Node, Happened):
                model.objects.all().delete()
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM gateway_rollup")
            seed()
            assert written() == before
            transaction.set_rollback(True)
