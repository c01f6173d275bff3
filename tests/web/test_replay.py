"""The room as it was: an outage played again, and what is said where nothing is known."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from fleetweb.core.presence import CognitiveState, FleetPresence
from fleetweb.core.streams import Outcome
from fleetweb.fleet.memory import Memory
from fleetweb.gateway.models import RequestMetric, RoutingRecord
from fleetweb.web.replay.clock import STILL_TO_COME, Asked, address_of, asked_for
from fleetweb.web.replay.moment import StepCard, look_back, moment_card
from tests.core.sights import NOW, QWEN, at
from tests.fleet.outage import DROPPED, FELL_SILENT, OVER, outage

from .pasts import machine, was

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
QUIET = FELL_SILENT + 8
MOVED_ON = FELL_SILENT + 7


@pytest.fixture
def owner(client: Client) -> Client:
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    return client


@pytest.fixture
def ada() -> Client:
    client = Client()
    user = User.objects.create_user("ada")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def seen() -> list[FleetPresence]:
    """A machine falls silent, exo drops it, it comes back; nobody looks after that."""
    memory = Memory()
    moments = outage()
    for presence in moments:
        memory.remember(presence)
    memory.close(at(OVER))
    return moments


@pytest.fixture
def moved() -> RequestMetric:
    """A request that the machine which fell silent did not answer, so that Ollama did."""
    metric = RequestMetric.objects.create(
        id="req_moved",
        asked_at=at(5),
        ended_at=at(30),
        status=Outcome.OK.value,
        caller="owner",
        model_asked=QWEN,
        model="llama3.3",
        provider="ollama",
        attempts=2,
        waited_ms=0,
        ttft_ms=17_000,
        answering_at_ms=17_000,
        latency_ms=25_000,
    )
    attempts = [
        _attempt("exo", QWEN, "soldier1", 5, MOVED_ON - 5, "soldier1 has gone quiet."),
        _attempt("ollama", "llama3.3", None, MOVED_ON, 30 - MOVED_ON),
    ]
    RoutingRecord.objects.create(request=metric, decision="fallback", attempts=attempts)
    return metric


def _attempt(
    provider: str, model: str, node: str | None, seconds: float, took_s: float, error: Any = None
) -> dict[str, Any]:
    return {
        "provider": provider,
        "model": model,
        "endpoint": "",
        "node": node,
        "at": at(seconds).isoformat(),
        "took_ms": took_s * 1000,
        "error": error,
    }


def replayed(client: Client, seconds: float, **kwargs: Any) -> str:
    response = client.get("/replay/", {"at": address_of(at(seconds))}, **kwargs)
    assert response.status_code == 200
    return response.content.decode()


def room_of(page: str) -> str:
    return page.partition('<div id="room">')[2].partition('<section id="happened"')[0]


def state_of(page: str, node: str) -> str:
    found = re.search(rf'data-node="{node}" data-state="(\w+)"', page)
    assert found, f"{node} is not in the room"
    return found[1]


def told(client: Client, seconds: float) -> dict[str, Any]:
    return client.get("/api/replay", {"at": address_of(at(seconds))}).json()


# --- an outage ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("seen", "moved")
def test_an_outage_is_shown_as_it_went(owner):
    pages = {second: replayed(owner, second) for second in (3, 10, QUIET, DROPPED + 2, 70)}
    states = [state_of(page, "soldier1") for page in pages.values()]
    assert states == ["idle", "processing", "quiet", "offline", "idle"]
    assert "Gone quiet 8 s ago. exo still counts it in." in pages[QUIET]
    assert "Held up: soldier1" in room_of(pages[QUIET])
    assert "Offline. Last heard" in pages[DROPPED + 2]


@pytest.mark.usefixtures("seen", "moved")
def test_a_request_that_moved_on_is_where_it_was_at_each_moment(owner):
    before, after, over = (room_of(replayed(owner, second)) for second in (10, MOVED_ON + 1, 31))
    assert "Qwen3-235B on soldier1" in before
    assert "llama3.3 on ollama" in after
    assert "Qwen3-235B on soldier1" not in after
    assert 'id="answered"' in over
    assert "llama3.3 on ollama" in over


@pytest.mark.usefixtures("seen", "moved")
def test_stepping_from_event_to_event_tells_the_outage_in_order(owner):
    """The next event leads on from each moment, and nothing is stepped over."""
    found, moment = [], told(owner, 0)
    while moment["next_at"]:
        following = owner.get("/api/replay", {"at": moment["next_at"]}).json()
        found += [
            event for event in following["events"] if moment["at"] < event["at"] <= following["at"]
        ]
        moment = following
    of_soldier = [event["word"] for event in found if event.get("node") == "soldier1"]
    assert of_soldier == ["Processing", "Gone quiet", "Offline", "Idle"]
    of_request = [event["word"] for event in found if event.get("request")]
    assert of_request == ["Asked", "Tried in vain", "Answered"]
    times = [event["at"] for event in found]
    assert times == sorted(times)
    assert "moved from soldier1 to ollama" in str(found)


@pytest.mark.usefixtures("seen", "moved")
def test_stepping_back_leads_to_the_event_before(owner):
    moment = told(owner, DROPPED + 2)
    assert moment["previous_at"] == address_of(at(DROPPED))
    assert told(owner, DROPPED)["previous_at"] == address_of(at(30))


def test_it_is_the_room_that_was_shown(owner, seen):
    """The same pieces as those of the live page, but for what was not written down."""
    page = replayed(owner, QUIET)
    live = seen[QUIET]
    for node in live.nodes:
        assert state_of(page, node.name) == node.load.state.value
        assert node.load.sentence in page
    for piece in ("fleet", "notices", "lines", "waiting", "work", "answered", "ribbon"):
        assert f'id="{piece}"' in page


@pytest.mark.usefixtures("seen")
def test_it_is_plainly_marked_and_nothing_of_it_is_live(owner):
    page = replayed(owner, 10)
    assert re.search(r"This is the past: <time[^>]*>14:32:17</time>", page)
    assert "hx-ws:connect" not in page
    assert "connection.js" not in page
    assert "<span>now</span>" not in page


@pytest.mark.usefixtures("seen", "moved")
def test_what_was_in_hand_then_can_not_be_ended_now(owner):
    page = replayed(owner, 10)
    assert "A request" in room_of(page)
    assert "/cancel/" not in page


@pytest.mark.usefixtures("seen", "moved")
def test_playing_is_told_not_to_pass_over_trouble(owner):
    page = replayed(owner, 6)
    assert f'data-trouble="{address_of(at(FELL_SILENT + 6))}"' in page
    calm = replayed(owner, DROPPED + 1)
    assert 'data-trouble=""' in calm


@pytest.mark.parametrize("path", ["/replay/", "/requests/", "/history/", "/nodes/king/"])
def test_a_page_of_the_past_says_whose_its_times_are(owner, path):
    machine("king")
    assert f'data-zone="{settings.TIME_ZONE}"' in owner.get(path).content.decode()


def test_pages_of_the_present_tell_the_readers_own_time(owner):
    assert "data-zone" not in owner.get("/").content.decode()


@pytest.mark.usefixtures("seen")
def test_trouble_is_marked_in_the_hour(owner):
    hour = replayed(owner, 10).partition('id="hour"')[2].partition("</div>")[0]
    assert "soldier1: Gone quiet" in hour
    assert "soldier1: Offline" in hour
    assert "Idle" not in hour


# --- what nobody knows ----------------------------------------------------------------------------


@pytest.mark.usefixtures("seen")
def test_before_the_first_look_nobody_was_watching(owner):
    page = replayed(owner, -60)
    assert "Nobody was watching yet; somebody is from" in " ".join(page.split())
    assert "data-node=" not in page
    assert told(owner, -60)["watched"] is False


@pytest.mark.usefixtures("seen")
def test_after_the_last_look_nobody_was_watching(owner):
    page = " ".join(replayed(owner, OVER + 5).split())
    assert "Nobody was watching since" in page
    assert "somebody is again" not in page
    assert "data-node=" not in page


def test_an_empty_history_has_a_page(owner):
    assert "Nothing is known to have happened around here." in replayed(owner, 0)


# --- which moment ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T14:32:07Z",
        "2026-11-23T14:32:07.9+00:00",
        "2026-11-23T15:32:07+01:00",
        "2026-11-23T15:32:07 01:00",
        "2026-11-23T14:32:07",
        "2026-11-23 14:32:07",
    ],
)
def test_a_moment_may_be_written_in_several_ways(written):
    asked = asked_for(written, NOW + timedelta(days=1))
    assert (asked.at, asked.wrong) == (NOW, "")


@pytest.mark.parametrize("written", ["soon", "2026-99-99", "14:32", "0", "9999999999"])
def test_what_is_no_moment_is_told_and_the_last_minute_is_shown(owner, written):
    page = owner.get("/replay/", {"at": written})
    assert page.status_code == 200
    assert "That is no date and time" in page.content.decode()
    assert owner.get("/api/replay", {"at": written}).status_code == 400


@pytest.mark.parametrize("written", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_what_is_still_to_come_is_told_to_be(owner, written):
    assert "That is still to come." in owner.get("/replay/", {"at": written}).content.decode()


def test_the_second_that_is_not_over_yet_may_be_asked_for():
    now = NOW + timedelta(milliseconds=300)
    soon = NOW + timedelta(seconds=1)
    assert asked_for(address_of(soon), now) == Asked(soon)
    assert asked_for(address_of(soon + timedelta(seconds=1)), now) == Asked(NOW, STILL_TO_COME)


def test_what_has_just_happened_can_be_stepped_to():
    turned_at = NOW + timedelta(milliseconds=100)
    was(machine("king"), CognitiveState.IDLE, NOW, turned_at)
    was(machine("king"), CognitiveState.OFFLINE, turned_at, None)
    seen = look_back(NOW, owner=True, caller="")
    card = moment_card(seen, NOW, NOW + timedelta(milliseconds=300))
    assert card.steps[-1] == StepCard("Next event", address_of(NOW + timedelta(seconds=1)))


def test_an_hour_that_is_not_over_ends_now():
    seen = look_back(NOW, owner=True, caller="")
    hour = moment_card(seen, NOW, NOW + timedelta(milliseconds=300)).hour
    assert (hour.place, hour.last, hour.length) == (32 * 60 + 7, 32 * 60 + 8, 32 * 60 + 8)
    assert hour.end.clock == "14:32:08"


def test_an_hour_that_is_over_has_all_its_seconds():
    seen = look_back(NOW, owner=True, caller="")
    hour = moment_card(seen, NOW, NOW + timedelta(hours=1)).hour
    assert (hour.last, hour.length, hour.end.clock) == (3599, 3600, "15:00:00")


def test_the_beginning_of_time_is_a_moment_like_any_other(owner):
    for written in ("0001-01-01T00:00:00", "1970-01-01T00:00:00Z"):
        assert owner.get("/replay/", {"at": written}).status_code == 200


@pytest.mark.usefixtures("seen")
def test_the_link_leads_to_the_same_moment(owner):
    page = replayed(owner, 10)
    link = re.search(r'<code id="link">http://testserver(.*?)</code>', page)
    assert link
    again = owner.get(link[1]).content.decode()
    assert room_of(again) == room_of(page)


# --- how, for whom, at what cost ------------------------------------------------------------------


@pytest.mark.usefixtures("seen")
def test_htmx_gets_the_pieces_that_change(owner):
    page = replayed(owner, 10, headers=HTMX)
    targets = re.findall(r'<hx-partial hx-target="#(\w+)"', page)
    assert targets == ["when", "hour", "room", "happened"]
    assert "<html" not in page


@pytest.mark.usefixtures("seen", "moved")
def test_others_than_the_owner_are_not_told_whose_requests_those_were(ada, owner):
    assert "for <bdi>owner</bdi>" in replayed(owner, 10)
    page = replayed(ada, 10)
    assert "owner</bdi>" not in page
    assert "req_moved" not in page
    assert "caller" not in str(told(ada, 10))
    assert not any(event.get("request") for event in told(ada, 10)["events"])
    assert told(owner, 10)["in_hand"][0]["caller"] == "owner"


@pytest.mark.parametrize("address", ["/replay/", "/api/replay"])
def test_strangers_see_no_past(client, address):
    assert client.get(address).status_code in (302, 401)


@pytest.mark.usefixtures("seen", "moved")
def test_every_moment_costs_the_same(owner, django_assert_num_queries):
    for number in range(40):
        metric = RequestMetric.objects.create(
            id=f"r{number}", asked_at=at(2 * number), ended_at=at(2 * number + 9), status="ok"
        )
        RoutingRecord.objects.create(request=metric)
    for second in (3, 10, QUIET, DROPPED + 2, 70):
        with django_assert_num_queries(14):
            replayed(owner, second)
