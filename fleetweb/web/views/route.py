"""`POST /api/route`: where a request would go, and why, with nothing sent."""

from typing import Any, cast

import msgspec
from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from fleetweb.core.balancing import RouteResult, ScoredCandidate
from fleetweb.core.openai import InvalidRequest, answer_to, decode_json, parse_request
from fleetweb.errors import FleetError
from fleetweb.gateway.history import candidate_json
from fleetweb.gateway.running import gateway
from fleetweb.upstream.http import shown

from ..v1.callers import caller_of, identity_of


@require_POST
async def route(request: HttpRequest) -> HttpResponse:
    """Takes what `POST /v1/chat/completions` takes, headers too; its errors are the same."""
    try:
        return _json(200, await _planned(request))
    except FleetError as error:
        answer = answer_to(error)
        return _json(answer.status, answer.body)


async def _planned(request: HttpRequest) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    user = cast(User, await request.auser())  # strangers have been turned away before
    caller = caller_of(identity_of(user), headers)
    asked = parse_request(decode_json(_body(request)))
    return _told(await gateway().plan(asked, caller))


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        message = "The body is too large for a dry run; send less."
        raise InvalidRequest(message, status=413) from error


def _told(found: RouteResult) -> dict[str, Any]:
    return {
        "node_endpoint": shown(found.node_endpoint),
        "reason": found.reason,
        "estimated_latency_ms": found.estimated_latency_ms,
        "model_loaded": found.model_loaded,
        "candidates": [_candidate(scored) for scored in found.candidates],
        "decision": found.decision,
        "strategy": found.strategy,
        "cluster": found.cluster,
        "node": found.node,
    }


def _candidate(scored: ScoredCandidate) -> dict[str, Any]:
    """Without the password that the address of a door may hold."""
    told = candidate_json(scored)
    return {**told, "node_endpoint": shown(told["node_endpoint"])}


def _json(status: int, body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")
