"""Looking back: charts, tables and files say the same, and the truth."""

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone

from fleetweb.core.happenings import Happening, HappeningKind, system_changed
from fleetweb.core.presence import CognitiveState
from fleetweb.fleet.models import Happened, Node, PresenceSpan
from fleetweb.fleet.series import MOST_MARKERS, MOST_SPANS
from tests.web import pasts
from tests.web.pasts import LLAMA, SMALL, asked, machine, remember, sampled, saw, was

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
S = CognitiveState


@pytest.fixture(autouse=True)
def _in_berlin():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        yield


@pytest.fixture
def owner(client: Client) -> Client:
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    return client


def span(since: datetime, until: datetime, path: str = "/history/", **more: str) -> str:
    told = {"from": since.isoformat(), "to": until.isoformat(), **more}
    query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in told.items())
    return f"{path}?{query}"


def text_of(client: Client, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200, response.content[:300]
    return html.unescape(response.content.decode())


def drawn(client: Client, address: str) -> dict[str, Any]:
    """What the charts' script gets."""
    page = client.get(address).content.decode()
    found = re.search(r'<script id="history-drawing"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


def values(client: Client, address: str, chart: str, line: int = 0) -> list[float | None]:
    (one,) = [c for c in drawn(client, address)["charts"] if c["key"] == chart]
    found: list[float | None] = one["lines"][line]["values"]
    return found


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of an opened table of figures, its times first."""
    own = page.partition(f'aria-label="The figures of {name}"')[2].partition("</table>")[0]
    body = own.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = r"<(?:td|th scope=\"row\")>(.*?)</"
    return [re.findall(cells, row) for row in body.split("</tr>") if row]


def records(client: Client, address: str) -> list[dict[str, str]]:
    answer = client.get(f"{address}&format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


# --- what stands out ------------------------------------------------------------------------------


def test_a_machine_that_was_slow_is_named_with_its_reason(owner):
    begin, end = pasts.a_slow_hour(NOON)
    page = text_of(owner, span(NOON - timedelta(hours=6), NOON))
    found = page.partition('id="findings"')[2].partition("</section>")[0]
    said = " ".join(re.sub(r"<[^>]+>", "", found).split())
    assert re.search(r"soldier2 took 3\.\d× as long to the first token of ", said)
    assert "Llama-3.3-70B as the others, from 11:00 to 12:00:" in said
    assert "it was gone quiet for 4 min and hot, at 92 °C (the others at most 62 °C)." in said
    assert (begin, end) == (NOON - timedelta(hours=2), NOON - timedelta(hours=1))


def test_it_leads_to_that_time(owner):
    pasts.a_slow_hour(NOON)
    page = owner.get(span(NOON - timedelta(hours=6), NOON)).content.decode()
    link = re.search(r'<a href="([^"]+)">Look at that time', page)
    assert link is not None
    told = drawn(owner, html.unescape(link[1]))
    ends = (NOON - timedelta(hours=2, minutes=30), NOON - timedelta(minutes=30))
    assert [told["since"], told["until"]] == [at.timestamp() for at in ends]


def test_several_troubles_are_told_in_all_and_one_is_not(owner):
    king, queen = machine("king"), machine("queen")
    for node, ages in ((king, (300, 100)), (queen, (200,))):
        for age in ages:
            began = NOON - timedelta(minutes=age)
            was(node, S.QUIET, began, began + timedelta(minutes=40 / len(ages)))
    page = text_of(owner, span(NOON - timedelta(hours=6), NOON))
    assert "king was gone quiet for 40 min in all, from 08:00 to 11:40." in page
    assert "queen was gone quiet for 40 min, from 09:40 to 10:20." in page


def test_time_offline_is_told_in_a_look_too_long_for_every_change(owner):
    """Samples know nothing of it: a machine that is offline gives none."""
    node, begins = machine("king"), NOON - timedelta(hours=6)
    gone = begins + timedelta(minutes=15), begins + timedelta(minutes=45)
    here = [begins + timedelta(minutes=n) for n in range(360)]
    saw([sampled(node, at, S.IDLE) for at in here if not gone[0] <= at < gone[1]])
    was(node, S.OFFLINE, *gone)
    for n in range(MOST_SPANS + 1):
        at = NOON - timedelta(hours=4) + timedelta(seconds=10 * n)
        was(node, S.IDLE if n % 2 else S.PROCESSING, at, at + timedelta(seconds=10))
    rows = records(owner, span(begins - timedelta(days=2), NOON))
    (hour,) = [row for row in rows if row["from"].startswith("2026-03-04T07:00")]
    assert hour["did"] == "idle 50 %, offline 50 %"
    page = text_of(owner, span(begins - timedelta(days=2), NOON))
    assert "king was offline for 30 min" in page


def test_a_slow_machine_is_found_though_others_are_shown(owner):
    pasts.a_slow_hour(NOON)
    for name in (f"busy{n}" for n in range(6)):
        machine(name)
        remember([asked(name, NOON - timedelta(seconds=n), model=SMALL) for n in range(200)])
    page = text_of(owner, span(NOON - timedelta(hours=6), NOON))
    found = page.partition('id="findings"')[2].partition("</section>")[0]
    assert "soldier2 took 3." in found
    assert "What it did meanwhile stands there." in found
    assert "Whether a machine was away is said only of busy0, busy1" in found
    link = re.search(r'<a href="([^"]+)">Look at that time', found)
    assert link is not None
    there = text_of(owner, html.unescape(link[1]))
    assert "soldier2 was gone quiet for 4 min" in there


def test_it_says_what_is_counted(owner):
    """Days are counted whole, whenever in a day it is asked for."""
    machine("king")
    remember([asked("king", NOON - timedelta(days=30, hours=3))])
    page = text_of(owner, span(NOON - timedelta(days=30), NOON))
    assert "Mon 2026-02-02 00:00 to Thu 2026-03-05 00:00, Europe/Berlin time" in page
    assert re.search(r"<bdi>king</bdi></a></th><td>1</td>", page)


def test_a_calm_time_says_so(owner):
    remember([asked("king", NOON - timedelta(minutes=n)) for n in range(1, 20)])
    machine("king")
    page = text_of(owner, span(NOON - timedelta(hours=1), NOON))
    assert "Nothing stands out: nobody was much slower than usual" in page


# --- charts and tables stay true ------------------------------------------------------------------


def test_an_hour_that_comes_twice_is_told_apart(owner):
    """On 25 October 2026 at 01:00 UTC, clocks in Berlin go back from 03:00 to 02:00."""
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    machine("king")
    half = timedelta(minutes=30)
    remember([asked("king", change - half, 100.0), asked("king", change + half, 900.0)])
    with timezone.override("UTC"):
        around = span(change - timedelta(hours=2), change + timedelta(hours=2), table="king")
        page = text_of(owner, around)
    told = {row[0]: row[1] for row in rows(page, "king")}
    assert told == {"02:30 CEST": "1", "02:30 CET": "1"}
    assert "clocks went back by 1 h in between" in page


def test_a_day_without_an_hour_is_one_day(owner):
    """On 29 March 2026 there is no 02:00 in Berlin, and the day has 23 hours."""
    begin = datetime(2026, 2, 1, tzinfo=UTC)
    machine("king")
    last_minute = datetime(2026, 3, 29, 21, 59, tzinfo=UTC)
    remember([asked("king", last_minute), asked("king", last_minute + timedelta(minutes=1))])
    told = drawn(owner, span(begin, begin + timedelta(days=80)))
    assert {b - a for a, b in zip(told["at"], told["at"][1:], strict=False)} == {86_400, 82_800}
    counts = values(owner, span(begin, begin + timedelta(days=80)), "requests")
    place = told["slots"].index("Sun 2026-03-29")
    assert counts[place : place + 2] == [1, 1]
    assert "clocks went forward by 1 h" in text_of(owner, span(begin, begin + timedelta(days=80)))


def test_a_time_at_which_nobody_looked_is_a_gap(owner):
    node = machine("king")
    before = [NOON - timedelta(minutes=n) for n in range(20, 15, -1)]
    after = [NOON - timedelta(minutes=n) for n in range(5, 0, -1)]
    saw([sampled(node, at, S.IDLE) for at in (*before, *after)])
    address = span(NOON - timedelta(minutes=20), NOON, table="king")
    assert values(owner, address, "temperature") == [62.0] * 5 + [None] * 10 + [62.0] * 5
    page = text_of(owner, address)
    assert len(rows(page, "king")) == 10
    assert "10 rows of 1 minute" in page
    assert "Left out: 10 in which nothing was asked and nothing was seen." in page


def test_one_sample_is_one_point(owner):
    saw([sampled(machine("king"), NOON - timedelta(minutes=3), S.IDLE, power_w=None)])
    address = span(NOON - timedelta(minutes=15), NOON, table="king")
    assert [v for v in values(owner, address, "gpu") if v is not None] == [0.02]
    assert set(values(owner, address, "power")) == {None}
    page = text_of(owner, address)
    (row,) = rows(page, "king")
    assert "1 row of 1 minute" in page
    assert row[0] == "12:57"
    assert "2 %" in row
    assert "–" in row


def test_where_nothing_is_known_nothing_is_drawn(owner):
    machine("king")
    page = text_of(owner, span(NOON - timedelta(minutes=15), NOON, table="king"))
    assert page.count("Nothing was measured in this time.") == 8  # requests and errors are 0
    assert "Nothing was asked through fleetweb in this time." in page
    assert "Nothing is known of this time." in page
    assert "0 rows of 1 minute" in page
    assert rows(page, "king") == []


def test_a_fleet_that_nobody_has_seen_yet_has_a_page(owner):
    page = text_of(owner, "/history/")
    assert "Nothing has been asked of anybody yet." in page


def test_a_machine_under_a_new_name_keeps_what_it_was_under_the_old(owner):
    machine("old")
    machine("new")
    remember([asked("old", NOON - timedelta(minutes=9)), asked("new", NOON - timedelta(minutes=2))])
    address = span(NOON - timedelta(minutes=10), NOON)
    names = [line.get("new") or line["machine"] for line in records(owner, address)]
    assert set(names) == {"old", "new"}
    for name, place in (("old", 1), ("new", 8)):
        counts = values(
            owner, span(NOON - timedelta(minutes=10), NOON, f"/nodes/{name}/"), "requests"
        )
        assert counts == [int(i == place) for i in range(10)]


def test_a_clock_that_was_set_back_bends_nothing(owner):
    """What is seen in the same minutes again is added to them; a span that overlaps is cut off."""
    node = machine("king")
    first = [NOON - timedelta(minutes=n) for n in (6, 5, 4)]
    saw([sampled(node, at, S.IDLE, temperature_c=50.0) for at in first])
    saw([sampled(node, at, S.IDLE, temperature_c=70.0) for at in first])
    was(node, S.IDLE, NOON - timedelta(minutes=6), NOON - timedelta(minutes=1))
    was(node, S.PROCESSING, NOON - timedelta(minutes=5), NOON - timedelta(minutes=3))
    address = span(NOON - timedelta(minutes=6), NOON, table="king")
    assert values(owner, address, "temperature") == [70.0] * 3 + [None] * 3
    told = drawn(owner, address)
    assert told["at"] == sorted(set(told["at"]))
    assert [len(row) for row in rows(text_of(owner, address), "king")] == [15] * 5


def test_a_span_that_goes_on_reaches_to_now_and_not_beyond(owner):
    now = timezone.now()
    was(machine("king"), S.PROCESSING, now - timedelta(days=3), None)
    told = drawn(owner, "/history/?range=1h")["did"][0]["told"]
    assert set(told[:-1]) == {"processing"}
    page = owner.get("/history/?range=1h").content.decode()
    shown = re.search(r'viewBox="0 0 ([\d.]+) 12".*?translate\(-([\d.]+) 0\)', page)
    assert shown is not None
    (drawn_from, lasts) = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)"', page)[0]
    assert shown.groups() == (lasts, drawn_from)
    assert float(lasts) == pytest.approx(3600.0, abs=1)


# --- what happened --------------------------------------------------------------------------------


def test_what_happened_is_marked_and_listed(owner):
    node = machine("soldier1")
    lost, back = NOON - timedelta(minutes=9), NOON - timedelta(minutes=4)
    was(node, S.OFFLINE, lost, back)
    was(node, S.WAKING, back, NOON - timedelta(minutes=3))
    address = span(NOON - timedelta(minutes=15), NOON)
    marks = drawn(owner, address)["marks"]
    assert [mark["at"] for mark in marks][-1] == lost.timestamp()
    page = text_of(owner, address)
    listed = page.partition('id="marks"')[2].partition("</section>")[0]
    assert "soldier1 was lost: soldier1 was offline." in listed
    assert "soldier1 is back." in listed


def test_a_machine_is_not_back_because_nobody_watches_any_more(owner):
    was(machine("soldier1"), S.QUIET, NOON - timedelta(minutes=9), NOON - timedelta(minutes=4))
    page = text_of(owner, span(NOON - timedelta(minutes=15), NOON))
    assert "soldier1 went quiet." in page
    assert "soldier1 is back" not in page


def test_a_load_is_told_without_how_far_it_had_come(owner):
    waking = was(machine("king"), S.WAKING, NOON - timedelta(minutes=5), NOON)
    PresenceSpan.objects.filter(pk=waking.pk).update(
        sentence="Waking up Qwen3-235B: 0 of 94 layers."
    )
    page = text_of(owner, span(NOON - timedelta(minutes=15), NOON))
    assert "king began to load a model: Waking up Qwen3-235B." in page


def test_where_too_much_happened_it_says_from_when_on_all_of_it_is_marked(owner):
    king = machine("king")
    for n in range(MOST_MARKERS + 5):
        began = NOON - timedelta(hours=5) + timedelta(minutes=n)
        was(king, S.STUMBLED, began, began + timedelta(seconds=20))
    address = span(NOON - timedelta(hours=6), NOON)
    first = NOON - timedelta(hours=5) + timedelta(minutes=5)
    assert "Before 08:05:00 there was more, which is not marked" in text_of(owner, address)
    told = owner.get(f"{address}&format=json").json()
    assert datetime.fromisoformat(told["events_since"]) == first
    assert len(told["events"]) == MOST_MARKERS
    shorter = owner.get(span(NOON - timedelta(hours=2), NOON) + "&format=json").json()
    assert datetime.fromisoformat(shorter["events_since"]) == NOON - timedelta(hours=2)


def test_an_election_and_another_system_version_are_marked(owner):
    machine("king")
    at = NOON - timedelta(minutes=5)
    Happened.objects.note(
        [
            Happening(at, HappeningKind.ELECTION, "exo has just started over with a new master."),
            system_changed("king", "26.1", "26.2", at),
            system_changed("soldier1", "26.1", "26.2", at),
        ]
    )
    address = span(NOON - timedelta(minutes=15), NOON)
    assert [mark["at"] for mark in drawn(owner, address)["marks"]] == [at.timestamp()] * 3
    page = text_of(owner, address)
    assert "exo has just started over with a new master." in page
    assert "king went from system version 26.1 to 26.2." in page
    assert "soldier1 went" not in text_of(owner, address.replace("/history/", "/nodes/king/"))


# --- side by side ---------------------------------------------------------------------------------


def a_little_of_everything() -> None:
    for name in ("king", "soldier1"):
        saw([sampled(machine(name), NOON - timedelta(minutes=3), S.PROCESSING)])
    at = NOON - timedelta(minutes=3)
    remember(
        [
            asked("king", at, 100.0),
            asked("king", at, 200.0, model=SMALL),
            asked("soldier1", at, 300.0, status="failed"),
            asked("", at, 900.0, provider="claude", model="claude-sonnet-4-5", nodes=[]),
        ]
    )


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("machine", ["king", "soldier1"]),
        ("model", ["claude-sonnet-4-5", SMALL, LLAMA]),
        ("provider", ["claude", "exo"]),
    ],
)
def test_each_has_its_line_its_totals_and_its_table(owner, by, names):
    a_little_of_everything()
    address = span(NOON - timedelta(minutes=10), NOON, by=by)
    page = text_of(owner, address)
    assert drawn(owner, address)["charts"][0]["lines"][0]["dash"] == []
    assert all(f"<bdi>{name}</bdi>" in page for name in names)
    assert {row[by] for row in records(owner, address)} == set(names)
    assert ("Hottest" in page) is (by == "machine")


def test_only_what_is_picked_is_shown(owner):
    a_little_of_everything()
    address = span(NOON - timedelta(minutes=10), NOON, pick="soldier1")
    assert {row["machine"] for row in records(owner, address)} == {"soldier1"}


def test_what_is_picked_stays_when_the_range_changes(owner):
    a_little_of_everything()
    page = owner.get("/history/?pick=soldier1&p=p50&range=6h").content.decode()
    assert "?by=machine&amp;p=p50&amp;range=24h&amp;pick=soldier1" in page


def test_a_model_is_looked_at_alone(owner):
    a_little_of_everything()
    address = span(NOON - timedelta(minutes=10), NOON, model=SMALL)
    assert [row["requests"] for row in records(owner, address) if row["requests"] != "0"] == ["1"]


def test_many_machines_are_not_all_drawn(owner):
    for n in range(9):
        machine(f"m{n}")
    remember([asked(f"m{n}", NOON - timedelta(minutes=3)) for n in range(3, 9)])
    address = span(NOON - timedelta(minutes=10), NOON)
    assert {row["machine"] for row in records(owner, address)} == {f"m{n}" for n in range(3, 9)}


def test_one_machine_shows_all_percentiles_or_its_models(owner):
    a_little_of_everything()
    address = span(NOON - timedelta(minutes=10), NOON, "/nodes/king/")
    assert len(drawn(owner, address)["charts"][0]["lines"]) == 3
    by_model = f"{address}&by=model"
    assert {row["model"] for row in records(owner, by_model)} == {LLAMA, SMALL}


# --- the same figures everywhere ------------------------------------------------------------------


def test_file_table_and_chart_agree(owner):
    pasts.a_slow_hour(NOON)
    address = span(NOON - timedelta(hours=4), NOON)
    page, kept = text_of(owner, f"{address}&table=soldier2"), records(owner, address)
    told = json.loads(owner.get(f"{address}&format=json").content)["rows"]
    drawn_ms = values(owner, address, "latency", line=2)
    king2 = [row for row in kept if row["machine"] == "soldier2"]
    assert [row["latency_p95_ms"] for row in king2] == [
        "" if v is None else str(v) for v in drawn_ms
    ]
    assert [row["latency_p95_ms"] for row in told if row["machine"] == "soldier2"] == drawn_ms
    counts = [row["requests"] for row in king2 if row["requests"] != ""]
    assert [float(row[1]) for row in rows(page, "soldier2")] == [float(c) for c in counts]


# --- tables are opened one by one -----------------------------------------------------------------


def test_a_table_has_its_rows_only_when_it_is_opened(owner):
    a_little_of_everything()
    address = span(NOON - timedelta(minutes=10), NOON)
    page = owner.get(address).content.decode()
    assert "The figures of " not in page
    assert page.count("1 row of 1 minute") == 2
    opened = re.search(r'<a href="([^"]+table=king#table-\d)">Show the figures of', page)
    assert opened is not None
    page = text_of(owner, html.unescape(opened[1]))
    assert len(rows(page, "king")) == 1
    assert rows(page, "soldier1") == []
    assert re.findall(r'<details id="table-\d" open', page) == ['<details id="table-0" open']


def test_what_is_opened_stays_so_when_another_is(owner):
    a_little_of_everything()
    page = text_of(owner, span(NOON - timedelta(minutes=10), NOON, table="soldier1"))
    assert "&table=soldier1&table=king#table-0" in page
    assert "range=24h&table=soldier1" in page


def test_an_opened_table_comes_alone_and_is_that_of_the_page(owner):
    a_little_of_everything()
    page = owner.get("/history/?range=15m").content.decode()
    own = re.search(r'<details id="table-0" hx-get="([^"]+)" hx-trigger="([^"]+)"', page)
    assert own is not None
    assert own[2] == "toggle once, due"
    piece = text_of(owner, html.unescape(own[1]), **HTMX).strip()
    assert piece.startswith('<details id="table-0" open')
    assert piece.count("<details") == 1
    address = span(NOON - timedelta(minutes=10), NOON, table="king")
    alone = text_of(owner, f"{address}&piece=table", **HTMX)
    assert rows(alone, "king") == rows(text_of(owner, address), "king") != []


def test_a_table_that_is_not_there_any_more_stays_as_it_is(owner):
    machine("king")
    assert owner.get("/history/?piece=table&table=nobody", headers=HTMX).status_code == 204
    assert 'id="tables"' in text_of(owner, "/history/?table=nobody")


def test_a_table_of_what_is_past_is_not_asked_for_again(owner):
    machine("king")
    page = text_of(owner, span(NOON - timedelta(hours=1), NOON))
    assert 'hx-trigger="toggle once"' in page


def test_times_in_files_have_the_offset_of_their_moment(owner):
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    machine("king")
    kept = records(owner, span(change - timedelta(minutes=1), change + timedelta(minutes=1)))
    assert [row["from"] for row in kept] == [
        "2026-10-25T02:59:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


# --- what can be asked ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("range=3y", "There is no range “3y”: choose one of 15m, 1h,"),
        ("from=yesterday", "From is “yesterday”: write a date and a time"),
        ("from=2026-03-04T10:00&to=noon", "To is “noon”: write a date and a time"),
        ("to=2026-03-04T10:00", "From is empty"),
        ("from=2026-03-04T10:00&to=2026-03-04T09:00", "To is not after From"),
        ("from=2999-01-01T10:00", "From lies in the future"),
        ("from=0001-01-01T10:00", "From is “0001-01-01T10:00”"),
        ("from=1980-01-01T10:00", "more than ten years"),
        ("by=colour", "There is no “colour” here: choose one of machine, model, provider."),
        ("p=p42", "There is no “p42” here"),
        ("pick=nobody", "There is no machine “nobody”."),
        ("model=none", "No answer of “none” is remembered"),
    ],
)
def test_says_what_is_wrong_and_shows_something_all_the_same(owner, query, words):
    machine("king")
    page = text_of(owner, f"/history/?{query}")
    assert words in page
    assert 'id="charts-title"' in page


def test_what_is_no_time_stays_in_its_box(owner):
    page = text_of(owner, "/history/?from=yesterday&to=2026-03-04T10:00")
    assert 'name="from" value="yesterday" type="text" aria-invalid="true"' in page
    assert 'name="to" value="2026-03-04T10:00" type="datetime-local"' in page


def test_times_are_those_of_the_house(owner):
    machine("king")
    told = drawn(owner, "/history/?from=2026-03-04T13:00&to=2026-03-04T13:30")
    assert told["since"] == NOON.timestamp()
    assert told["zone"] == "Europe/Berlin"


def test_a_machine_nobody_knows_is_not_found(owner):
    assert owner.get("/nodes/nobody/").status_code == 404


def test_guests_see_it_too(client):
    machine("king")
    client.force_login(
        User.objects.create_user("ada"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/history/").status_code == 200
    assert client.get("/nodes/king/").status_code == 200


def test_strangers_do_not(client):
    assert client.get("/history/").status_code in (302, 401, 403)


def test_a_name_that_is_markup_is_only_a_name(owner):
    machine("<b>&'/")
    was(Node.objects.get(), S.STUMBLED, timezone.now() - timedelta(minutes=2), None)
    PresenceSpan.objects.update(sentence="<script>alert(1)</script>")
    opened = "?table=%3Cb%3E%26%27%2F"
    for address in (f"/history/{opened}", f"/nodes/%3Cb%3E&'%2F/{opened}"):
        page = owner.get(address).content.decode()
        assert "<b>" not in page
        assert "<script>alert" not in page


def test_a_name_that_is_markup_does_not_end_the_charts_figures(owner):
    name = "</script><b>&"
    machine(name)
    assert drawn(owner, "/history/")["did"][0]["name"] == name


# --- as it goes on --------------------------------------------------------------------------------


def test_the_right_edge_is_asked_for_only_while_it_is_now(owner):
    machine("king")
    assert 'id="history-due"' in text_of(owner, "/history/?range=15m")
    assert 'id="history-due"' not in text_of(owner, span(NOON - timedelta(hours=1), NOON))


def test_what_goes_on_is_sent_in_pieces_that_have_their_place(owner):
    machine("king")
    piece = text_of(owner, "/history/?range=15m&piece=now", **HTMX)
    assert re.findall(r'hx-target="#([a-z-]+)"', piece) == ["history-above", "history-below"]
    whole = text_of(owner, "/history/?range=15m")
    assert all(f'id="{root}"' in whole for root in ("history-above", "history-below", "tables"))


def test_nothing_in_the_page_needs_a_weaker_policy(owner):
    pasts.a_slow_hour(NOON, hours=3)
    page = owner.get(span(NOON - timedelta(hours=3), NOON)).content.decode()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style", page)
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all(" src=" in s or 'type="application/json"' in s for s in scripts)
