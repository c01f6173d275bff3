"""JSON for programs."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from fleetweb.core import words
from fleetweb.core.discretion import discreet
from fleetweb.core.inference import nobody_yet
from fleetweb.core.presence import (
    ClusterPresence,
    CognitiveState,
    FleetPresence,
    NodePresence,
)
from fleetweb.fleet import live
from fleetweb.fleet.topology import ClusterStatus, loaded_models, topology
from fleetweb.upstream.http import shown

from ..access.owner import is_owner


@require_safe
async def presence(request: HttpRequest) -> HttpResponse:
    """`GET /api/presence`: what every machine is doing; prompts only for the owner."""
    now = timezone.localtime()
    seen = await live.watched(now) or await _unwatched(now)
    if not is_owner(await request.auser()):
        seen = discreet(seen)
    return _json(presence_body(seen, topology.status_of(seen.nodes)))


@require_safe
async def cluster(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """`GET /api/cluster`: the fleet in figures."""
    return _json(await topology.get_cluster_status())


async def _unwatched(now: datetime) -> FleetPresence:
    """What can be said while nobody watches: since when, and nothing of any machine."""
    last = await live.current()
    nobody = nobody_yet(now)
    if last is None:
        return nobody
    return replace(nobody, at=last.at, sentence=words.fleet_unwatched(last.at, now))


def presence_body(seen: FleetPresence, status: ClusterStatus) -> dict[str, Any]:
    """A presence for programs, of now or of a past moment."""
    return {
        "fleet_status": status.status,
        "presence_message": seen.sentence,
        "total_memory_gb": status.total_memory_gb,
        "cognitive_intensity": seen.intensity,
        "nodes": [_node(node) for node in seen.nodes],
        "available_models": status.loaded_models,
        "cognitive_state": seen.state,
        "clusters": [_cluster(cluster) for cluster in seen.clusters],
        "work": seen.work,
        "rehearsal": seen.rehearsal,
        "sequence": seen.sequence,
        "at": seen.at,
    }


def _node(node: NodePresence) -> dict[str, Any]:
    exo = node.exo
    return {
        "name": node.name,
        "role": node.role,
        "memory_gb": node.memory_gb,
        "presence": node.load.sentence,
        "cognitive_state": node.load.state,
        "current_task": node.load.current_task,
        "is_grappling": node.load.state is CognitiveState.GRAPPLING,
        "loaded_models": loaded_models((node,)),
        "intensity": node.load.intensity,
        "estimated_completion_pct": node.load.estimated_completion_pct,
        "evidence": node.load.evidence,
        "since": node.since,
        "last_heard_at": node.last_heard_at,
        "cluster": node.cluster,
        "shards": node.shares,
        "downloads": node.downloads,
        "memory_used_bytes": exo.memory_used_bytes if exo else None,
        "memory_total_bytes": exo.memory_total_bytes if exo else None,
        "gpu_usage": exo.gpu_usage if exo else None,
        "temperature_c": exo.temperature_c if exo else None,
        "power_w": exo.power_w if exo else None,
    }


def _cluster(seen: ClusterPresence) -> ClusterPresence:
    """Its doors without the passwords their addresses may hold."""
    return replace(seen, doors=tuple(replace(door, url=shown(door.url)) for door in seen.doors))


def _json(body: Any) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")
