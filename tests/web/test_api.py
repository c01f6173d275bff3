"""JSON for programs: the keys they rely on, and nobody's prompts for guests."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import AsyncClient
from django.utils import timezone

from fleetweb.core.presence import DoorSeen, FleetPresence
from fleetweb.fleet import live
from fleetweb.fleet.topology import topology
from fleetweb.web.views import health

from . import samples

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = {"Authorization": f"Bearer {settings.FLEETWEB_TOKEN}"}
FLEET_KEYS = {
    "fleet_status",
    "presence_message",
    "total_memory_gb",
    "cognitive_intensity",
    "nodes",
    "available_models",
}
NODE_KEYS = {
    "name",
    "role",
    "memory_gb",
    "presence",
    "cognitive_state",
    "current_task",
    "is_grappling",
    "loaded_models",
}
STATUS_KEYS = {
    "total_nodes",
    "healthy_nodes",
    "total_memory_gb",
    "available_memory_gb",
    "loaded_models",
    "master_node",
    "status",
}


@pytest.fixture
def guest() -> AsyncClient:
    client = AsyncClient()
    client.force_login(User.objects.create_user("ada"))
    return client


def with_task(task: str) -> FleetPresence:
    busy = samples.busy()
    king = busy.nodes[0]
    load = replace(king.load, current_task=task, sentence=f"Processing: {task}")
    return replace(
        busy,
        sentence=f"king: Processing: {task}",
        nodes=(replace(king, load=load), *busy.nodes[1:]),
        work=tuple(replace(work, preview=task) for work in busy.work),
    )


async def published(presence: FleetPresence) -> None:
    """As if it had been seen just now."""
    await live.publish(replace(presence, at=timezone.localtime()))


async def asked(path: str, client: AsyncClient | None = None):
    answer = await (client.get(path) if client else AsyncClient().get(path, headers=OWNER))
    assert answer.status_code == 200
    return answer.json()


async def test_presence_has_every_key_programs_rely_on():
    await published(samples.busy())
    presence = await asked("/api/presence")
    assert presence.keys() >= FLEET_KEYS
    assert all(node.keys() >= NODE_KEYS for node in presence["nodes"])
    assert presence["nodes"][0]["name"] == "king"
    assert presence["fleet_status"] in ("healthy", "degraded", "offline")


async def test_presence_before_anybody_has_looked_names_no_machine():
    presence = await asked("/api/presence")
    assert presence["nodes"] == []
    assert presence["fleet_status"] == "offline"


async def test_what_nobody_watches_any_more_is_not_told_as_of_now():
    minutes_ago = timezone.localtime() - timedelta(minutes=2)
    await live.publish(replace(samples.busy(), at=minutes_ago))
    presence = await asked("/api/presence")
    assert presence["nodes"] == []
    assert presence["fleet_status"] == "offline"
    assert presence["presence_message"] == (
        f"Nobody has watched the fleet since {minutes_ago:%H:%M:%S}."
    )
    assert (await asked("/api/cluster"))["healthy_nodes"] == 0


async def test_what_is_not_known_is_null():
    presence = samples.idle()
    king = replace(presence.nodes[0], exo=replace(presence.nodes[0].exo, gpu_usage=None))
    await published(replace(presence, nodes=(king,)))
    (node,) = (await asked("/api/presence"))["nodes"]
    assert node["gpu_usage"] is None
    assert node["current_task"] is None


async def test_the_owner_reads_what_is_being_thought_about():
    await published(with_task("Zuleika"))
    presence = await asked("/api/presence")
    assert presence["nodes"][0]["current_task"] == "Zuleika"


async def test_a_guest_reads_no_prompt_anywhere(guest):
    await published(with_task("Zuleika"))
    for path in ("/api/presence", "/api/cluster", "/", "/metrics"):
        answer = await guest.get(path)
        assert answer.status_code == 200
        assert b"Zuleika" not in answer.content, path


async def test_no_password_of_an_address_is_told():
    presence = samples.idle()
    doors = (DoorSeen("http://ada:hunter2@king.local:52415", "king"),)
    clusters = (replace(presence.clusters[0], doors=doors),)
    await published(replace(presence, clusters=clusters))
    told = await asked("/api/presence")
    assert told["clusters"][0]["doors"][0]["url"] == "http://king.local:52415"


async def test_the_cluster_in_figures(monkeypatch):
    monkeypatch.setattr(topology, "_metrics", {})  # others made machines of these names fail
    await published(samples.idle())
    status = await asked("/api/cluster")
    assert status.keys() == STATUS_KEYS
    assert (status["total_nodes"], status["status"]) == (4, "healthy")
    assert status["master_node"] == "king"


async def test_metrics_are_for_those_who_are_let_in():
    answer = await AsyncClient().get("/metrics")
    assert answer.status_code == 401
    answer = await AsyncClient().get("/metrics", headers=OWNER)
    assert answer["Content-Type"].startswith("text/plain")


async def test_nothing_is_changed_by_asking():
    for path in ("/api/presence", "/api/cluster", "/metrics"):
        assert (await AsyncClient().post(path, headers=OWNER)).status_code == 405


async def test_health_is_open_to_all_and_says_nothing_else():
    await published(samples.busy())
    answer = await AsyncClient().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_health_says_that_the_database_fails_and_logs_it_once(monkeypatch, caplog):
    def sick() -> None:
        raise OperationalError("the disk is full of secrets")

    monkeypatch.setattr(health, "_ask_database", sick)
    for _ in range(3):
        answer = await AsyncClient().get("/healthz")
        assert (answer.status_code, answer.json()) == (503, {"status": "not ok"})
    assert caplog.text.count("The database does not answer") == 1
    monkeypatch.undo()
    with caplog.at_level(logging.INFO):
        assert (await AsyncClient().get("/healthz")).status_code == 200
    assert "answers again" in caplog.text
