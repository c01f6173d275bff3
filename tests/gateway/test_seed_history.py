"""An invented history adds up as a real one does, and never mixes with one unasked."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fleetweb.fleet.models import Node, NodeRollup, PresenceSpan
from fleetweb.gateway import rollups
from fleetweb.gateway.invention import SEEDED
from fleetweb.gateway.models import RequestMetric, Rollup, RollupSubject
from fleetweb.gateway.recorder import Entry, _commit
from tests.gateway.asked_before import request

pytestmark = pytest.mark.django_db


def seed(**options: object) -> str:
    said = StringIO()
    call_command("seed_history", **{"requests": 400, "days": 2, "nodes": 4} | options, stdout=said)
    return said.getvalue()


def added_up() -> set[tuple[object, ...]]:
    fields = ("subject__scope", "subject__name", "subject__model", *rollups.KEY_FIELDS[1:])
    return {
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
        for row in Rollup.objects.values_list(*fields, *rollups.SUM_FIELDS)
    }


def test_what_is_written_is_what_the_rows_add_up_to():
    assert seed().startswith("400 requests over 2 days in ")
    assert RequestMetric.objects.filter(process=SEEDED).count() == 400
    assert not RequestMetric.objects.uncounted().exists()
    written = added_up()
    now = timezone.now()
    assert sum(count for _, count in rollups.rebuild(now - timedelta(days=3), now)) == 400
    assert added_up() == written


def test_machines_have_a_past_too():
    seed()
    assert Node.objects.count() == 4
    assert PresenceSpan.objects.count() > 50
    assert NodeRollup.objects.filter(figures__isnull=False).exists()
    assert not PresenceSpan.objects.going_on().exists()


def test_a_real_history_is_left_alone():
    _commit([Entry(request(timezone.now()))])
    with pytest.raises(CommandError, match="There is a real history here"):
        seed()
    assert RequestMetric.objects.count() == 1


def test_an_invented_history_is_not_written_twice_by_mistake():
    seed()
    with pytest.raises(CommandError, match="There is an invented history here already"):
        seed()


def test_beside_a_real_history_both_are_added_up():
    row = request(timezone.now() - timedelta(hours=5))
    _commit([Entry(row)])
    rollups.catch_up()
    seed(force=True)
    days = Rollup.objects.filter(subject__scope=RollupSubject.ALL, resolution=86_400)
    assert sum(day.count for day in days) == 401


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"requests": -5}, {"days": 0}, {"nodes": 3}])
def test_what_makes_no_history_is_refused(wrong):
    with pytest.raises(CommandError, match=f"--{next(iter(wrong))} wants"):
        seed(**wrong)


def test_more_than_ten_years_are_refused():
    with pytest.raises(CommandError, match="--days wants 3,650 or fewer"):
        seed(days=99_999)
    assert not Node.objects.exists()


def test_adding_up_anew_tells_each_day():
    _commit([Entry(request(timezone.now()))])
    said = StringIO()
    call_command("rollup", since="1d", stdout=said)
    assert said.getvalue().endswith(": 1 requests\n")
    with pytest.raises(CommandError, match="--since wants 15m"):
        call_command("rollup", since="soon")
