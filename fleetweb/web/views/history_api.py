"""What has been, as JSON for programs: how long machines took, and every request with its reasons.

The owner is told of all requests, everybody else of their own. No text of any request is here.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from decimal import Decimal
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, cast

import msgspec
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleetweb.core.candidates import RoutingDecision
from fleetweb.core.naming import full_id
from fleetweb.core.streams import Outcome
from fleetweb.fleet import live
from fleetweb.fleet.models import Node
from fleetweb.gateway.models import ApiKey, RequestMetric, RollupSubject, RoutingRecord
from fleetweb.gateway.points import Point
from fleetweb.gateway.search import Cursor, Search
from fleetweb.gateway.series import latency_series
from fleetweb.gateway.subjects import Subject, Subjects
from fleetweb.upstream.http import shown

from ..access.owner import is_owner
from ..access.refusals import error
from ..asked import (
    BadParameter,
    milliseconds_of,
    number_of,
    range_of,
    since_of,
    time_of,
    word_of,
    yes_or_no,
)
from ..v1.callers import identity_of

MOST_RESULTS: Final = 200
_OF_POINTS: Final = tuple(field.name for field in fields(Point))
_TOLD: Final = (
    "id",
    "asked_at",
    "ended_at",
    "status",
    "cached",
    "source",
    "streamed",
    "caller",
    "model_asked",
    "model",
    "provider",
    "cluster",
    "node",
    "nodes",
    "waited_ms",
    "loading_ms",
    "ttft_ms",
    "answering_at_ms",
    "latency_ms",
    "longest_gap_ms",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "tokens_per_s",
    "energy_j",
    "finish_reason",
    "error",
)

Named = ParamSpec("Named")
View = Callable[Concatenate[HttpRequest, Named], HttpResponse]


def _for_programs(view: View[Named]) -> View[Named]:
    """Answers what is asked wrongly with a 400 that says which parameter wants what."""

    @wraps(view)
    def answering(request: HttpRequest, /, *args: Named.args, **kw: Named.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kw)
        except BadParameter as wrong:
            return error(400, str(wrong), "invalid_request_error", "invalid_parameter")

    return require_safe(never_cache(answering))


@_for_programs
def node_latency(request: HttpRequest, name: str) -> HttpResponse:
    """`GET /api/nodes/<name>/latency`: how long its requests took, over time."""
    asked = range_of(request.GET, timezone.now())
    known = Subjects.read()
    if not (
        Subject(RollupSubject.NODE, name) in known.keys or Node.objects.filter(name=name).exists()
    ):
        return error(404, f"There is no machine called {name}.", "not_found_error", "unknown_node")
    written = request.GET.get("model", "").strip()
    model = _known_model(written, known) if written else ""
    if model is None:
        message = f"Nobody knows a model called {written} here."
        return error(404, message, "not_found_error", "unknown_model")
    subject = Subject(RollupSubject.NODE, name, model)
    series = latency_series([subject], asked.since, asked.until, known=known)[subject]
    return _json(
        {
            "node": name,
            "model": model or None,
            "since": asked.since,
            "until": asked.until,
            "step_s": series.step.seconds,
            "series": [_point(point) for point in series.points],
            "total": _point(series.total),
        }
    )


@_for_programs
def requests(request: HttpRequest) -> HttpResponse:
    """`GET /api/requests`: those that match, newest first.

    `next` is where the next page begins (`before`), None at the end. A page may have fewer than
    `limit` and still a next one, where what is asked for is rare.
    """
    search = _search(request.GET, cast(User, request.user))
    limit = number_of(request.GET, "limit", 50, MOST_RESULTS)
    page = search.page(limit, _before(request.GET))
    return _json(
        {
            "results": [_told(row) for row in page.rows],
            "next": str(page.after) if page.after else None,
        }
    )


@_for_programs
def request_detail(request: HttpRequest, request_id: str) -> HttpResponse:
    """`GET /api/requests/<id>`: one request, and why it went where it went."""
    search = _own(cast(User, request.user))
    rows = RequestMetric.objects.select_related("routing", "key").filter(pk=request_id)
    if search.caller:
        rows = rows.filter(caller=search.caller, key=None)
    if search.key_id is not None:
        rows = rows.filter(key_id=search.key_id)
    row = rows.first()
    if row is None:
        message = f"There is no request {request_id}, or it is not yours."
        return error(404, message, "not_found_error", "unknown_request")
    routing = getattr(row, "routing", None)
    return _json({**_told(row), "routing": routing and _routing(routing)})


def _known_model(written: str, known: Subjects) -> str | None:
    """Its id, of those that have answered or that the fleet has in hand now."""
    model = known.full_model(written)
    if Subject(RollupSubject.MODEL, model) in known.keys:
        return model
    return full_id(written, _present_models())


def _present_models() -> Iterator[str]:
    presence = live.seen()
    for node in presence.nodes if presence else ():
        yield from (share.model_id for share in node.shares)
        yield from (download.model_id for download in node.downloads)


def _point(point: Point) -> dict[str, Any]:
    return {**{name: getattr(point, name) for name in _OF_POINTS}, "cost_usd": _usd(point.cost_usd)}


def _usd(cost: Decimal | None) -> str | None:
    """Without the exponent that Decimal writes for small ones."""
    return None if cost is None else f"{cost:f}"


def _own(user: User) -> Search:
    """What somebody may see: the owner all, a key what was asked with it, a person their own."""
    if is_owner(user):
        return Search()
    identity = identity_of(user)
    if identity.key_id is not None:
        return Search(key_id=identity.key_id)
    return Search(caller=identity.name)


def _search(params: QueryDict, user: User) -> Search:
    own, now = _own(user), timezone.now()
    return Search(
        node=params.get("worked", ""),
        door=params.get("node", "") or params.get("door", ""),
        provider=params.get("provider", ""),
        model=_full_model(params.get("model", "").strip()),
        key_id=own.key_id if own != Search() else _key_id(params),
        caller=own.caller or (params.get("caller", "") if is_owner(user) else ""),
        status=word_of(params, "status", Outcome) or "",
        cached=yes_or_no(params, "cached"),
        since=since_of(params, now),
        until=time_of(params, "until", now),
        slower_than_ms=milliseconds_of(params, "slower_than_ms"),
        decision=word_of(params, "decision", RoutingDecision) or "",
        fell_back=yes_or_no(params, "fallback"),
    )


def _full_model(written: str) -> str:
    return Subjects.read().full_model(written) if written else ""


def _key_id(params: QueryDict) -> int | None:
    name = params.get("key", "")
    if not name:
        return None
    key = ApiKey.objects.filter(name=name).first()
    if key is None:
        raise BadParameter("key", "the name of an API key, in use or revoked")
    return key.pk


def _before(params: QueryDict) -> Cursor | None:
    written = params.get("before", "").strip()
    if not written:
        return None
    try:
        return Cursor.parse(written)
    except ValueError as wrong:
        raise BadParameter("before", "what `next` of the page before said") from wrong


def _told(row: RequestMetric) -> dict[str, Any]:
    routing = getattr(row, "routing", None)
    return {
        **{name: getattr(row, name) for name in _TOLD},
        "cost_usd": _usd(row.cost_usd),
        "key": row.key.name if row.key else None,
        "attempts": row.attempts,
        "decision": routing.decision if routing else None,
    }


def _routing(record: RoutingRecord) -> dict[str, Any]:
    """Without the passwords that addresses of doors may hold."""
    return {
        "strategy": record.strategy or None,
        "decision": record.decision,
        "reason": record.reason,
        "node_endpoint": shown(record.node_endpoint),
        "estimated_latency_ms": record.estimated_latency_ms,
        "model_loaded": record.model_loaded,
        "candidates": [
            {**candidate, "node_endpoint": shown(candidate.get("node_endpoint", ""))}
            for candidate in record.candidates
        ],
        "attempts": [
            {**attempt, "endpoint": shown(attempt.get("endpoint", ""))}
            for attempt in record.attempts
        ],
    }


def _json(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")
