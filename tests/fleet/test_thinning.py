"""What is remembered of machines grows coarser with age, and stays true."""

from datetime import UTC, datetime, timedelta

import pytest

from fleetweb.core.buckets import STEPS, Resolution
from fleetweb.core.presence import CognitiveState
from fleetweb.core.roster import Role
from fleetweb.fleet import sample_rollups, thinning
from fleetweb.fleet.models import Node, NodeRollup, NodeSample, PresenceSpan
from fleetweb.fleet.series import Happening, bands, markers, readings
from fleetweb.fleet.thinning import Thinning, thin
from fleetweb.fleet.upkeep import upkeep_due

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
IDLE, PROCESSING, READING, QUIET, OFFLINE, WAKING = (
    CognitiveState.IDLE,
    CognitiveState.PROCESSING,
    CognitiveState.READING,
    CognitiveState.QUIET,
    CognitiveState.OFFLINE,
    CognitiveState.WAKING,
)


@pytest.fixture
def king() -> Node:
    return Node.objects.create(name="king", role=Role.KING)


def sampled(node: Node, at: datetime, state: CognitiveState = IDLE, **figures: object) -> None:
    sample = NodeSample.objects.create(
        node=node, at=at, state=state.value, **{"intensity": 0.5, **figures}
    )
    sample_rollups.add([sample])


def keyed(*names: str) -> dict[int, str]:
    return dict(Node.objects.filter(name__in=names).values_list("pk", "name"))


def told(node: Node, at: datetime, *states: tuple[CognitiveState, float]) -> None:
    """Spans that follow each other from `at` on, each so many seconds long."""
    for state, seconds in states:
        ends = at + timedelta(seconds=seconds)
        PresenceSpan.objects.create(node=node, state=state.value, started_at=at, ended_at=ends)
        at = ends


def lasted() -> list[tuple[str, float]]:
    spans = PresenceSpan.objects.order_by("started_at")
    return [(span.state, (span.ended_at - span.started_at).total_seconds()) for span in spans]


def test_figures_are_the_means_of_what_was_seen(king):
    sampled(king, NOW, PROCESSING, intensity=0.2, power_w=100.0)
    sampled(king, NOW + timedelta(seconds=10), intensity=0.8, power_w=None)
    sampled(king, NOW + timedelta(seconds=20), intensity=0.5, power_w=300.0)
    (reading,) = readings(keyed("king"), NOW, NOW + timedelta(minutes=1))["king"]
    assert reading.samples == 3
    assert (reading.intensity, reading.intensity_max) == (pytest.approx(0.5), 0.8)
    assert reading.power_w == 200
    assert reading.temperature_c is reading.temperature_max_c is reading.gpu_usage is None
    assert reading.states == {PROCESSING: pytest.approx(1 / 3), IDLE: pytest.approx(2 / 3)}


def test_figures_are_told_to_a_thousandth(king):
    sampled(king, NOW, intensity=1 / 3, temperature_c=61.23456789, power_w=200 / 3)
    (reading,) = readings(keyed("king"), NOW, NOW + timedelta(minutes=1))["king"]
    assert (reading.intensity, reading.intensity_max, reading.power_w) == (0.333, 0.333, 66.667)
    assert reading.temperature_c == reading.temperature_max_c == 61.235


def test_a_time_nobody_was_seen_in_is_a_gap(king):
    for minute in (0, 2):
        sampled(king, NOW + timedelta(minutes=minute))
    found = readings(keyed("king") | {0: "nobody"}, NOW, NOW + timedelta(minutes=3))
    assert [reading.intensity for reading in found["king"]] == [0.5, None, 0.5]
    assert [reading.samples for reading in found["nobody"]] == [0, 0, 0]
    assert found["king"][1].states == {}


def test_every_step_tells_the_same_of_a_day(king):
    begins = NOW.replace(hour=0, minute=0)
    for hour in range(24):
        sampled(king, begins + timedelta(hours=hour), temperature_c=40.0 + hour)
    for step in STEPS:
        found = readings(keyed("king"), begins, begins + timedelta(days=1), step)["king"]
        known = [reading for reading in found if reading.samples]
        assert sum(reading.samples for reading in known) == 24
        assert max(reading.temperature_max_c for reading in known) == 63


def test_a_machine_that_is_renamed_keeps_its_past(king):
    sampled(king, NOW)
    Node.objects.filter(pk=king.pk).update(name="queen")
    assert readings(keyed("queen"), NOW, NOW + timedelta(minutes=1))["queen"][0].samples == 1


def test_a_clock_that_jumped_back_adds_to_the_time_it_shows(king):
    for seconds in (0, 10, -40, -30, 20):
        sampled(king, NOW + timedelta(seconds=seconds))
    found = readings(keyed("king"), NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))["king"]
    assert [reading.samples for reading in found] == [2, 3]


@pytest.mark.parametrize("nodes", [1, 5])
def test_readings_take_one_query(nodes, django_assert_num_queries):
    names = [f"node{n}" for n in range(nodes)]
    for name in names:
        sampled(Node.objects.create(name=name, role=Role.SOLDIER), NOW)
    machines = keyed(*names)
    with django_assert_num_queries(1):
        readings(machines, NOW - timedelta(days=90), NOW + timedelta(minutes=1))
    with django_assert_num_queries(3):
        bands(machines, NOW - timedelta(days=90), NOW)
    with django_assert_num_queries(1):
        markers(machines, NOW - timedelta(days=90), NOW)


def test_short_spans_of_long_ago_are_given_to_those_before_them(king):
    told(king, NOW, (IDLE, 300), (READING, 5), (PROCESSING, 20), (READING, 90), (IDLE, 20))
    assert thin(NOW, NOW + timedelta(hours=1)) == 3
    assert lasted() == [("idle", 325), ("reading", 110)]


def test_more_of_the_same_becomes_one(king):
    told(king, NOW, (IDLE, 300), (IDLE, 200), (PROCESSING, 100))
    thin(NOW, NOW + timedelta(hours=1))
    assert lasted() == [("idle", 500), ("processing", 100)]


def test_what_its_owner_should_know_of_is_never_too_short(king):
    story = ((IDLE, 300), (QUIET, 3), (IDLE, 2), (OFFLINE, 1), (WAKING, 5))
    told(king, NOW, *story)
    thin(NOW, NOW + timedelta(hours=1))
    assert lasted() == [(state.value, seconds) for state, seconds in story]


def test_time_nobody_watched_is_not_filled(king):
    told(king, NOW, (IDLE, 300))
    told(king, NOW + timedelta(seconds=400), (PROCESSING, 5))
    thin(NOW, NOW + timedelta(hours=1))
    assert lasted() == [("idle", 300), ("processing", 5)]


def test_thinning_twice_changes_nothing(king):
    told(king, NOW, *((state, 1 + 40 * n) for n in range(4) for state in (IDLE, READING)))
    thin(NOW, NOW + timedelta(hours=1))
    once = lasted()
    assert thin(NOW, NOW + timedelta(hours=1)) == 0
    assert lasted() == once
    assert sum(seconds for _, seconds in once) == 2 * sum(1 + 40 * n for n in range(4))


def test_samples_go_after_two_days_and_their_sums_stay(king):
    for days in (100, 3, 1):
        sampled(king, NOW - timedelta(days=days))
    assert not Thinning().step(NOW)
    assert NodeSample.objects.count() == 1
    kept = {r: NodeRollup.objects.filter(resolution=r).count() for r in Resolution}
    assert kept == {Resolution.MINUTE: 2, Resolution.HOUR: 3, Resolution.DAY: 3}


def test_it_goes_in_small_steps_until_all_is_done(king, monkeypatch):
    monkeypatch.setattr(thinning, "AT_ONCE", 3)
    for days in (20, 19, 18, 17):
        told(king, NOW - timedelta(days=days), (IDLE, 300), (READING, 5))
        sampled(king, NOW - timedelta(days=days))
    told(king, NOW - timedelta(days=1), (IDLE, 300), (READING, 5))
    keeper, steps = Thinning(), 1
    while keeper.step(NOW):
        steps += 1
    assert steps > 10
    assert not NodeSample.objects.exists()
    assert lasted() == [("idle", 305)] * 4 + [("idle", 300), ("reading", 5)]


def test_spans_go_with_the_retention_and_what_goes_on_stays(king, settings):
    settings.FLEETWEB_RETENTION_DAYS = 10
    told(king, NOW - timedelta(days=11), (IDLE, 300))
    PresenceSpan.objects.create(node=king, state="idle", started_at=NOW - timedelta(days=12))
    Thinning().step(NOW)
    assert [span.ended_at for span in PresenceSpan.objects.all()] == [None]


def test_what_befell_a_machine_is_marked(king):
    told(king, NOW, (IDLE, 60), (OFFLINE, 30), (WAKING, 40), (IDLE, 10))
    found = markers(keyed("king"), NOW, NOW + timedelta(hours=1)).all
    assert [(marker.happening, (marker.at - NOW).total_seconds()) for marker in found] == [
        (Happening.LOST, 60),
        (Happening.BACK, 90),
        (Happening.PLACED, 90),
    ]


def test_a_model_that_is_being_loaded_is_marked_once(king):
    def waking(model: str, layers: int) -> str:
        return f"Waking up {model}: {layers} of 15 layers."

    told(king, NOW, *((state, 20) for state in (WAKING, READING) * 4), (IDLE, 900), (WAKING, 20))
    spans = PresenceSpan.objects.filter(state="waking").order_by("started_at")
    models = ["Large", "Large", "Large", "Small", "Small"]
    for layers, (span, model) in enumerate(zip(spans, models, strict=True)):
        PresenceSpan.objects.filter(pk=span.pk).update(sentence=waking(model, layers))
    found = markers(keyed("king"), NOW, NOW + timedelta(hours=1))
    assert [marker.sentence for marker in found.all] == [
        waking("Large", 0),
        waking("Small", 3),  # another model
        waking("Small", 4),  # a quarter of an hour later
    ]
    assert found.since is None


def test_bands_reach_over_the_edges(king):
    told(king, NOW, (IDLE, 100), (PROCESSING, 100), (IDLE, 100))
    found = bands(keyed("king"), NOW + timedelta(seconds=50), NOW + timedelta(seconds=150))
    assert [(span.state, (span.started_at - NOW).total_seconds()) for span in found.spans] == [
        (IDLE, 0),
        (PROCESSING, 100),
    ]


@pytest.mark.django_db(transaction=True)
async def test_the_upkeep_reaches_machines_and_requests():
    done = await upkeep_due.asend_robust("a test", now=NOW)
    assert [result for _, result in done] == [False, False]
