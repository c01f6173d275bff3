"""Looking back at single requests: the list with its filters, and one in full."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from fleetweb.core.streams import Outcome
from fleetweb.fleet.models import Node
from fleetweb.gateway import search
from fleetweb.gateway.models import (
    ApiKey,
    RequestMetric,
    RequestText,
    RollupSubject,
    RoutingRecord,
)
from fleetweb.gateway.search import Cursor, Search
from fleetweb.web.requests.cards import detail_card
from fleetweb.web.requests.tries import tries_of
from fleetweb.web.requests.waterfall import Phase, legs_of
from fleetweb.web.requests.why import why
from fleetweb.web.views.requests import PAGE_SIZE

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
QWEN = "mlx-community/Qwen3-235B-A22B-Thinking-4bit"
LLAMA = "mlx-community/Llama-3.3-70B-Instruct-4bit"
HTMX = {"HX-Request": "true"}


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


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def asked(name: str = "one", seconds: float = 0, **known: Any) -> RequestMetric:
    facts = {
        "id": f"req_{name}",
        "asked_at": at(seconds),
        "ended_at": at(seconds + 4),
        "status": Outcome.OK.value,
        "caller": "owner",
        "model_asked": LLAMA,
        "model": LLAMA,
        "provider": "exo",
        "cluster": "home",
        "node": "king",
        "nodes": ["king"],
        "attempts": 1,
        "waited_ms": 500.0,
        "ttft_ms": 2000.0,
        "answering_at_ms": 3000.0,
        "latency_ms": 4000.0,
    }
    return RequestMetric.objects.create(**facts | known)


def candidate(node: str, estimated_ms: float | None, **known: Any) -> dict[str, Any]:
    facts = {
        "cluster": "home",
        "node": node,
        "node_endpoint": f"http://{node}:52415",
        "score": 88.5,
        "parts": {"model": 0.0, "latency": 72.5, "load": 16.0},
        "excluded": None,
        "model_loaded": True,
        "holds_shard": True,
        "in_hand": 2,
        "waiting": 0,
        "estimated_latency_ms": estimated_ms,
        "samples": 12,
    }
    return facts | known


def attempt(metric: RequestMetric, node: str | None, after_s: float, took_s: float, error=None):
    return {
        "provider": "exo" if node else "ollama",
        "model": metric.model,
        "endpoint": f"http://owner:secret@{node}:52415" if node else "ollama",
        "node": node,
        "at": (metric.asked_at + timedelta(seconds=after_s)).isoformat(),
        "took_ms": took_s * 1000,
        "error": error,
    }


def routed(metric: RequestMetric, *candidates: dict, attempts=None, **known: Any) -> RequestMetric:
    facts = {
        "strategy": "model_affinity",
        "decision": "model_loaded",
        "reason": "model_loaded: king holds Llama-3.3-70B; there is no other.",
        "node_endpoint": "http://king:52415",
        "candidates": list(candidates),
        "attempts": [attempt(metric, "king", 0.5, 3.5)] if attempts is None else attempts,
    }
    RoutingRecord.objects.create(request=metric, **facts | known)
    return metric


def page_of(client: Client, address: str = "/requests/", **kwargs: Any) -> str:
    response = client.get(address, **kwargs)
    assert response.status_code == 200, address
    return response.content.decode()


def found(client: Client, **asked_for: str) -> list[str]:
    """The names of the requests that a search finds, in the order of the page."""
    page = client.get("/requests/", asked_for).content.decode()
    links = page.split('<p class="what"><a href="/requests/req_')[1:]
    return [link.partition("/")[0] for link in links]


# --- the list -------------------------------------------------------------------------------------


def test_the_newest_is_first(owner):
    for seconds in (0, 20, 10):
        asked(f"at{seconds}", seconds)
    assert found(owner) == ["at20", "at10", "at0"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"node": "soldier1"}, ["shared"]),
        ({"node": "king"}, ["slow", "shared"]),
        ({"worked": "soldier1"}, ["shared"]),
        ({"worked": "king", "node": "king"}, ["slow", "shared"]),
        ({"worked": "soldier1", "door": "king"}, ["shared"]),
        ({"worked": "soldier1", "door": "soldier1"}, []),
        ({"door": "king"}, ["slow", "shared"]),
        ({"door": "soldier1"}, []),
        ({"provider": "ollama"}, ["moved"]),
        ({"provider": "exo"}, ["slow", "shared", "broken", "kept"]),
        ({"model": QWEN}, ["shared"]),
        ({"key": "laptop"}, ["slow"]),
        ({"status": "failed"}, ["broken"]),
        ({"status": "ok"}, ["moved", "slow", "shared", "kept"]),
        ({"status": "cached"}, ["kept"]),
        ({"slower_than": "60"}, ["slow"]),
        ({"decision": "fallback"}, ["moved"]),
        ({"fallback": "yes"}, ["moved", "broken"]),
        ({"fallback": "no", "status": "ok"}, ["slow", "shared", "kept"]),
        ({"fallback": "true"}, ["moved", "broken"]),
        ({"fallback": "1"}, ["moved", "broken"]),
        ({"fallback": "False", "status": "ok"}, ["slow", "shared", "kept"]),
        ({"fallback": "0", "status": "ok"}, ["slow", "shared", "kept"]),
        ({"since": "2026-11-23T14:32:37", "until": "2026-11-23T14:32:57"}, ["slow", "shared"]),
        ({"node": "king", "slower_than": "60", "key": "laptop"}, ["slow"]),
        ({"status": "failed", "node": "king"}, []),
    ],
)
def test_each_filter_finds_what_it_asks_for(owner, question, answer):
    for name in ("king", "soldier1"):
        Node.objects.create(name=name)
    key, _ = ApiKey.objects.issue("laptop")
    asked("kept", 10, cached=True, node="", nodes=[])
    asked("broken", 20, status="failed", node="soldier2", nodes=["soldier2"], attempts=3)
    routed(asked("shared", 30, model=QWEN, nodes=["king", "soldier1"]))
    asked("slow", 40, latency_ms=61_000, key=key)
    routed(asked("moved", 50, provider="ollama", node="", nodes=[]), decision="fallback")
    assert found(owner, **question) == answer


def test_a_machine_with_letters_of_its_own_is_found(owner):
    Node.objects.create(name="köning")
    asked("far", 0, nodes=["köning"])
    asked("near", 10)
    assert found(owner, node="köning") == ["far"]


@pytest.mark.parametrize(
    "written", [QWEN, "Qwen3-235B-A22B-Thinking-4bit", "qwen3-235b-a22b-thinking-4BIT"]
)
def test_a_model_is_found_by_its_id_or_by_the_last_part_in_any_case(owner, written):
    RollupSubject.objects.create(scope=RollupSubject.MODEL, name=QWEN)
    asked("one", model=QWEN)
    asked("two", 10)
    assert found(owner, model=written) == ["one"]


def test_pages_follow_each_other_without_a_gap_or_a_repetition(owner):
    """Many are asked in the same moment, and new ones come while somebody reads."""
    names = [f"n{number:03}" for number in range(2 * PAGE_SIZE + 5)]
    for number, name in enumerate(names):
        asked(name, seconds=number // 7)
    expected = [m.pk for m in RequestMetric.objects.order_by("-asked_at", "-id")]
    read, address = [], "/requests/?provider=exo"
    while address:
        page = page_of(owner, address)
        read += [f"req_{p.partition('/')[0]}" for p in page.split('<a href="/requests/req_')[1:]]
        asked(f"late{len(read)}", 100)
        link = page.partition('rel="next" href="')[2].partition('"')[0]
        address = link.replace("&amp;", "&")
        assert not address or parse_qs(urlsplit(address).query)["provider"] == ["exo"]
    assert read == expected


def test_the_list_costs_the_same_however_long_it_is(owner, django_assert_num_queries):
    for number in range(30):
        routed(asked(f"n{number}", number), candidate("king", 1000))
    with django_assert_num_queries(6):
        page_of(owner)
    with django_assert_num_queries(7):  # one more tells how far back is looked
        page_of(owner, "/requests/?slower_than=1&fallback=no&door=king")


def test_a_rare_thing_is_looked_for_step_by_step(owner, monkeypatch):
    monkeypatch.setattr(search, "LOOKED_THROUGH", 10)
    for number in range(25):
        asked(f"n{number:02}", number)
    asked("rare", -10, latency_ms=99_000)
    page = page_of(owner, "/requests/?slower_than=60")
    assert "None of the newest matches." in page
    assert "Look further back" in page
    first = Search(slower_than_ms=60_000).page(40)
    second = Search(slower_than_ms=60_000).page(40, first.after)
    third = Search(slower_than_ms=60_000).page(40, second.after)
    assert [row.pk for row in third.rows] == ["req_rare"]
    assert third.after is None


def test_a_cursor_is_read_as_it_was_written():
    cursor = Cursor(at(0.123456), "req_1.2")
    assert Cursor.parse(str(cursor)) == cursor


def test_an_empty_history_says_where_requests_come_from(owner):
    assert "Nothing has been asked yet." in page_of(owner)


def test_a_search_without_a_match_says_so(owner):
    asked()
    assert "No request matches all of that." in page_of(owner, "/requests/?model=nobody")


# --- what is written wrongly ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"slower_than": "soon"}, "Write a number of seconds"),
        ({"slower_than": "-1"}, "Write a number of seconds"),
        ({"since": "2026-99-01"}, "Write a date and a time"),
        ({"since": "2026-11-23 14:00", "until": "2026-11-23 13:00"}, "This is not after"),
        ({"status": "odd"}, "There is no “odd” here."),
        ({"fallback": "perhaps"}, "There is no “perhaps” here."),
        ({"worked": "king", "node": "soldier1"}, "The address asks for another besides"),
        ({"key": "nobody"}, "There is no API key called “nobody”."),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_and_nothing_is_lost(owner, question, told):
    asked()
    page = page_of(owner, "/requests/", data={"model": "llama", **question})
    assert told in page
    assert 'aria-invalid="true"' in page
    assert 'value="llama"' in page
    for value in question.values():
        assert f'value="{value}"' in page or f'value="{value.replace(" ", "T")}' in page


def test_a_machine_by_its_older_name_is_shown_and_led_on_by_the_one_programs_use(owner):
    Node.objects.create(name="king")
    asked()
    response = owner.get("/requests/", {"node": "king"}, headers=HTMX)
    page = response.content.decode()
    box = page.partition('<label for="find-worked">')[2].partition("</select>")[0]
    assert box.startswith("Machine that worked, or door</label>")
    assert '<option value="king" selected' in box
    assert '<label for="find-door">Door it was asked at</label>' in page
    assert response["HX-Push-Url"] == "/requests/?worked=king"


@pytest.mark.parametrize(("written", "shown"), [("true", "yes"), ("0", "no"), ("", "")])
def test_the_form_shows_the_yes_or_no_that_a_program_writes(owner, written, shown):
    box = page_of(owner, "/requests/", data={"fallback": written}).partition('name="fallback"')[2]
    chosen = re.findall(r'<option value="(\w*)" selected', box.partition("</select>")[0])
    assert chosen == [shown]


@pytest.mark.parametrize("before", ["nonsense", "1.", "99999999999999999999999.x", ".x"])
def test_a_place_that_is_none_begins_with_the_newest_and_says_so(owner, before):
    asked()
    page = page_of(owner, "/requests/", data={"before": before})
    assert "names no place in this list" in page
    assert "req_one" in page


@pytest.mark.parametrize("value", ["'; drop table", "<script>", "%", "💡" * 300])
def test_nothing_that_is_written_breaks_the_page(owner, value):
    names = ("node", "worked", "door", "provider", "model", "key", "status", "since", "slower_than")
    page = page_of(owner, "/requests/", data=dict.fromkeys((*names, "before", "decision"), value))
    assert "<script>" not in page.replace("<script type", "").replace("<script src", "")


# --- with htmx ------------------------------------------------------------------------------------


def test_htmx_gets_the_piece_that_changes_and_a_clean_address(owner):
    asked()
    response = owner.get("/requests/", {"node": "", "provider": "exo", "model": ""}, headers=HTMX)
    page = response.content.decode()
    assert page.startswith('<div id="requests"')
    assert "<html" not in page
    assert response["HX-Push-Url"] == "/requests/?provider=exo"


# --- whose they are -------------------------------------------------------------------------------


def test_others_than_the_owner_find_their_own_requests_only(ada, owner):
    key, _ = ApiKey.objects.issue("ada")
    asked("mine", 0, caller="ada")
    asked("theirs", 10, caller="bob")
    asked("of-a-key-of-my-name", 20, caller="ada", key=key)
    assert found(ada) == ["mine"]
    assert found(owner) == ["of-a-key-of-my-name", "theirs", "mine"]
    assert "API key" not in page_of(ada)
    assert page_of(ada, "/requests/req_mine/")
    for other in ("theirs", "of-a-key-of-my-name", "nobody"):
        assert ada.get(f"/requests/req_{other}/").status_code == 404


@pytest.mark.parametrize("address", ["/requests/", "/requests/req_one/"])
def test_strangers_are_led_to_the_login(client, address):
    asked()
    assert client.get(address).status_code == 302


# --- one in full ----------------------------------------------------------------------------------


def test_one_request_tells_where_its_time_went_and_why_it_went_there(owner):
    metric = asked(cost_usd=Decimal("0.0021"), prompt_tokens=12_288)
    routed(
        metric,
        candidate("king", 2500),
        candidate("soldier1", None, excluded="does not answer", node_endpoint="http://s1"),
    )
    page = page_of(owner, "/requests/req_one/")
    for told in (
        "king holds Llama-3.3-70B; there is no other.",
        "it had the model loaded",
        "model affinity",
        "Out of the question: it does not answer.",
        "12,288 tokens",
        "$0.0021",
        "Waiting 500 ms, then reading 1.5 s, then thinking 1.0 s, then answering 1.0 s.",
        "/replay/?at=2026-11-23T14:32:07Z",
    ):
        assert told in page, told
    assert "secret" not in page


def test_one_request_costs_the_same_whatever_is_known_of_it(owner, django_assert_num_queries):
    metric = routed(asked(), *(candidate(f"n{number}", number) for number in range(40)))
    RequestText.objects.create(request=metric, messages=[{"role": "user", "content": "hello"}])
    with django_assert_num_queries(3):
        page_of(owner, "/requests/req_one/")


def test_a_text_that_was_kept_is_shown_as_text(owner):
    messages = [
        {"role": "system", "content": "Be <b>brief</b>."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url"}],
        },
    ]
    RequestText.objects.create(request=asked(), messages=messages, answer="A <i>cat</i>.")
    page = page_of(owner, "/requests/req_one/")
    assert "Be &lt;b&gt;brief&lt;/b&gt;." in page
    assert "What is this?\n[image_url]" in page
    assert "A &lt;i&gt;cat&lt;/i&gt;." in page


@pytest.mark.parametrize(
    ("keeps", "told"),
    [(False, "stores no text of requests"), (True, "it was not when this was asked")],
)
def test_a_text_that_was_not_kept_is_said_not_to_be(owner, settings, keeps, told):
    settings.FLEETWEB_KEEP_TEXT = keeps
    asked()
    page = page_of(owner, "/requests/req_one/")
    assert "Its text was not kept." in page
    assert told in page


def test_one_that_is_in_hand_can_be_ended_by_its_owner_alone(owner, ada):
    asked(caller="ada", status="running", ended_at=None, latency_ms=None)
    assert 'action="/requests/req_one/cancel/"' in page_of(owner, "/requests/req_one/")
    assert "/cancel/" not in page_of(ada, "/requests/req_one/")


NO_TIME = dict.fromkeys(("ttft_ms", "answering_at_ms", "latency_ms"))


def test_nobody_claims_to_know_how_far_an_interrupted_one_came(owner):
    """It is found later: when it was found is not when it ended."""
    asked(status="interrupted", ended_at=at(3600), waited_ms=None, **NO_TIME)
    page = page_of(owner, "/requests/req_one/")
    assert "Nobody knows how far it came: the process that had it in hand ended first." in page
    assert "Nobody knows whether it was sent anywhere" in page
    assert legs(RequestMetric.objects.get()) == []


def test_of_an_interrupted_one_only_what_is_known_is_summed(owner):
    metric = asked(status="interrupted", ended_at=at(3600), **NO_TIME | {"ttft_ms": 2000.0})
    assert legs(metric) == [(Phase.WAITING, 0, 500), (Phase.READING, 500, 2000)]
    assert '<th scope="row">As far as is known</th>' in page_of(owner, "/requests/req_one/")


def test_one_that_was_over_at_once_is_told_with_the_time_it_took(owner):
    asked(status="failed", waited_ms=0.9, **NO_TIME | {"latency_ms": 1.8})
    page = page_of(owner, "/requests/req_one/")
    assert "It was over in 2 ms, too soon to tell what that went to." in page


CLAUDE = "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"model_asked": CLAUDE, "model": CLAUDE}, ""),
        ({"model_asked": CLAUDE, "model": f"{CLAUDE}-20250929"}, ""),
        ({"model_asked": "llama3.2", "model": "llama3.2:latest", "provider": "ollama"}, ""),
        ({"model_asked": CLAUDE, "model": CLAUDE, "attempts": 2}, "after 2 attempts"),
        ({"model_asked": LLAMA, "model": CLAUDE}, "claude stood in for Llama-3.3-70B"),
        ({"model_asked": "gpt-4", "model": "gpt-4-turbo"}, "claude stood in for gpt-4"),
        (
            {"model_asked": LLAMA, "model": CLAUDE, "ttft_ms": None},
            "claude was to stand in for Llama-3.3-70B",
        ),
        ({"provider": "exo", "attempts": 3}, "after 3 attempts"),
        ({"cached": True, "model_asked": LLAMA, "model": CLAUDE}, ""),
    ],
)
def test_only_another_model_than_was_asked_for_stands_in(known, told):
    metric = asked(**{"provider": "claude", "node": "", "nodes": []} | known)
    assert detail_card(metric, None, NOW).summary.stood_in == told


@pytest.mark.parametrize(
    ("known", "place"),
    [({"cached": True}, "from memory"), ({}, "on king"), ({"node": "", "nodes": []}, "")],
)
def test_the_heading_says_where_it_was_answered(owner, known, place):
    metric = routed(asked(**known), candidate("king", 2500))
    assert detail_card(metric, None, NOW).place == place
    assert "on from memory" not in page_of(owner, "/requests/req_one/")


def test_where_no_reason_was_kept_that_is_said(owner):
    asked()
    assert "Why it went where it went was not kept." in page_of(owner, "/requests/req_one/")


# --- the waterfall --------------------------------------------------------------------------------


def legs(metric: RequestMetric) -> list[tuple[Phase, float, float]]:
    return [
        (leg.phase, leg.start_ms, leg.end_ms) for leg in legs_of(metric, tries_of(metric), at(100))
    ]


def test_phases_follow_each_other():
    metric = routed(asked(loading_ms=300.0), attempts=[])
    RoutingRecord.objects.filter(request=metric).update(
        attempts=[attempt(metric, "king", 0.8, 3.2)]
    )
    assert legs(RequestMetric.objects.get()) == [
        (Phase.WAITING, 0, 500),
        (Phase.LOADING, 500, 800),
        (Phase.READING, 800, 2000),
        (Phase.THINKING, 2000, 3000),
        (Phase.ANSWERING, 3000, 4000),
    ]


def test_what_was_tried_in_vain_is_no_waiting():
    """`waited_ms` counts up to the last attempt."""
    metric = asked(waited_ms=1400.0, answering_at_ms=2000.0)
    tries = [
        attempt(metric, "king", 0.5, 0.9, "king does not answer."),
        attempt(metric, None, 1.4, 2.6),
    ]
    routed(metric, attempts=tries)
    assert legs(metric) == [
        (Phase.WAITING, 0, 500),
        (Phase.TRYING, 500, 1400),
        (Phase.READING, 1400, 2000),
        (Phase.ANSWERING, 2000, 4000),
    ]


def test_one_that_only_failed_was_tried_in_vain():
    metric = asked(status="failed", ttft_ms=None, answering_at_ms=None)
    routed(metric, attempts=[attempt(metric, "king", 0.5, 3.5, "king does not answer.")])
    assert legs(metric) == [(Phase.WAITING, 0, 500), (Phase.TRYING, 500, 4000)]


def test_one_without_a_thought_only_answers():
    metric = routed(asked(answering_at_ms=2000.0))
    assert [phase for phase, _, _ in legs(metric)] == [
        Phase.WAITING,
        Phase.READING,
        Phase.ANSWERING,
    ]


def test_one_that_never_came_past_thinking_thinks_to_its_end():
    metric = routed(asked(answering_at_ms=None))
    assert legs(metric)[-1] == (Phase.THINKING, 2000, 4000)


def test_one_that_still_waits_has_waited_until_now():
    metric = asked(
        status="waiting",
        ended_at=None,
        **dict.fromkeys(("waited_ms", "ttft_ms", "answering_at_ms", "latency_ms")),
    )
    assert legs(metric) == [(Phase.WAITING, 0, 100_000)]


def test_one_from_memory_took_no_time_of_a_machine():
    assert [phase for phase, _, _ in legs(asked(cached=True))] == [Phase.ANSWERING]


# --- the regret -----------------------------------------------------------------------------------


def regret(*others: dict, **known: Any) -> str:
    """What is said of a request that took 1.5 s to its first token, beside `others`."""
    metric = routed(asked(**known), candidate("king", 2500), *others)
    card = why(metric, tries_of(metric))
    assert card is not None
    return card.regret


def elsewhere(estimated_ms: float | None, **known: Any) -> dict[str, Any]:
    return candidate("mini", estimated_ms, cluster="attic", **known)


def test_a_loser_that_was_expected_to_be_quicker_is_regretted():
    assert regret(elsewhere(900.0)) == (
        "Another might have been quicker: mini was expected to take 900 ms, which is 600 ms less."
    )


def test_a_loser_that_was_expected_to_be_slower_is_not():
    assert regret(elsewhere(9000.0)) == (
        "Nobody was expected to be quicker: mini was expected to take 9.0 s."
    )


def test_doors_of_the_same_cluster_are_no_loss():
    assert "lead to the same cluster" in regret(candidate("soldier1", 100.0))


def test_of_what_nobody_measured_nothing_is_claimed():
    assert regret(elsewhere(None)) == "Nobody knew how long the others would have taken."


def test_one_that_could_not_take_it_is_no_loss():
    assert regret(elsewhere(1.0, excluded="does not answer")) == "Nobody else could have taken it."


def test_what_failed_is_no_loss_but_the_time_it_took_is_told():
    metric = asked(provider="ollama")
    tries = [attempt(metric, "king", 0.5, 0.9, "king is gone"), attempt(metric, None, 1.4, 2.6)]
    at_king = candidate("king", 100.0, node_endpoint=tries[0]["endpoint"])
    beside = candidate("soldier1", 100.0)
    routed(metric, at_king, beside, attempts=tries, decision="fallback", node_endpoint="ollama")
    card = why(metric, tries_of(metric))
    assert card.regret == "900 ms went to king in vain. Nobody else could have taken it."


def test_without_a_first_token_there_is_nothing_to_compare():
    assert "nothing to compare" in regret(elsewhere(1.0), ttft_ms=None)


def test_each_loser_stands_beside_what_it_took():
    metric = routed(asked(), candidate("king", 2500), elsewhere(900.0), elsewhere(2100.0))
    card = why(metric, tries_of(metric))
    assert [c.beside for c in card.candidates] == ["", "600 ms less", "600 ms more"]
    assert (card.took, card.expected) == ("1.5 s", "unknown")


def test_doors_of_the_same_cluster_stand_beside_it_as_they_are_told():
    metric = routed(asked(), candidate("king", 2500), candidate("soldier1", 2500))
    card = why(metric, tries_of(metric))
    assert [c.beside for c in card.candidates] == ["", "as long: the same cluster"]


def test_a_cluster_that_failed_is_not_held_against_who_stood_in():
    metric = asked(provider="ollama")
    tries = [attempt(metric, "king", 0.5, 0.9, "king is gone"), attempt(metric, None, 1.4, 2.6)]
    at_king = candidate("king", 100.0, node_endpoint=tries[0]["endpoint"])
    beside = candidate("soldier1", 100.0)
    routed(metric, at_king, beside, attempts=tries, decision="fallback", node_endpoint="ollama")
    card = why(metric, tries_of(metric))
    assert {c.beside for c in card.candidates} == {"its cluster was tried in vain"}


def test_what_it_took_and_what_was_expected_are_times_of_the_same(owner):
    """Both with loading, as the table beside says; the reason tells of the first token alone."""
    metric = asked(loading_ms=18_000.0, ttft_ms=18_900.0, latency_ms=41_000.0)
    not_there = {"model_loaded": False, "holds_shard": False, "samples": 10}
    routed(
        metric,
        candidate("king", 5373.2, **not_there),
        candidate("soldier1", 5373.2, **not_there),
        attempts=[attempt(metric, "king", 18.5, 22.5)],
        estimated_latency_ms=5373.2,
    )
    card = why(metric, tries_of(metric))
    assert card.timing == (
        "From when king was given it, the first token took 18 s, loading the model included; "
        "5.4 s were expected, loading included."
    )
    assert [(c.expected, c.of_what) for c in card.candidates] == [("5.4 s", "loading included")] * 2
    page = page_of(owner, "/requests/req_one/")
    assert card.timing in page
    assert " less</td>" not in page


def test_where_only_loading_was_known_nothing_is_compared_with_it():
    never = {"model_loaded": False, "samples": 0}
    metric = routed(asked(), candidate("king", 5000.0, **never), elsewhere(900.0, **never))
    RoutingRecord.objects.filter(request=metric).update(estimated_latency_ms=5000.0)
    card = why(RequestMetric.objects.get(), tries_of(metric))
    assert card.timing.endswith("; 5.0 s were expected for loading alone.")
    assert [c.beside for c in card.candidates] == ["", ""]
    assert card.regret == "Nobody knew how long the others would have taken."


def test_a_loser_that_was_a_little_quicker_was_not_much_quicker():
    assert regret(elsewhere(1400.0)) == (
        "Nobody was expected to be much quicker: mini was expected to take 1.4 s."
    )


def test_a_score_is_told_as_people_feel_it_and_its_figures_in_small_print(owner):
    parts = {"model": 200000.0, "latency": 90.1182, "load": 7.0}
    known = {"model_loaded": False, "holds_shard": False, "in_hand": 7, "waiting": 2}
    far = candidate("king", 5400.0, score=200098.1118, parts=parts, **known)
    stirring = elsewhere(5400.0, model_loaded=False, parts={"model": 100000.0}, in_hand=0)
    metric = routed(asked(), far, stirring, candidate("soldier1", 400.0))
    card = why(metric, tries_of(metric))
    assert [c.counts for c in card.candidates] == [
        ("the model is not there yet", "7 requests in hand", "2 waiting before it"),
        ("the model is being loaded", "nothing before it", "holds a part of the model"),
        ("the model is loaded", "2 requests in hand", "holds a part of the model"),
    ]
    small = (
        '<span class="endpoint">Score 200,098.1: model not there 200,000, '
        "time to first token 90.1, requests in hand 7</span>"
    )
    assert small in page_of(owner, "/requests/req_one/")


def test_an_answer_from_memory_is_compared_with_nothing():
    assert regret(elsewhere(1.0), cached=True) == (
        "It was answered from memory, so there is nothing to compare."
    )


def test_where_nobody_had_to_choose_there_is_no_why():
    assert why(asked(), ()) is None
