"""What has been: requests, their reasons, and how long machines took."""

from fleetweb.core.candidates import RoutingDecision
from fleetweb.core.streams import Outcome

from .vocabulary import Json, errors, json_answer, many, optional, record, ref, text

TIME: Json = text(format="date-time")
SINCE = "A span such as 15m, 24h, 7d or 90d, or a time."

_POINT: Json = record(
    {
        "at": TIME,
        "count": {"type": "integer"},
        "errors": {"type": "integer"},
        "p50_ms": optional("number"),
        "p95_ms": optional("number"),
        "p99_ms": optional("number"),
        "ttft_p50_ms": optional("number"),
        "ttft_p95_ms": optional("number"),
        "tokens_per_s": optional("number"),
    },
    *("at", "count", "errors", "p50_ms", "p95_ms", "p99_ms", "ttft_p50_ms", "tokens_per_s"),
)
HISTORY_SCHEMAS: Json = {
    "LatencySeries": record(
        {
            "node": text(),
            "model": optional("string"),
            "since": TIME,
            "until": TIME,
            "step_s": {"type": "integer"},
            "series": many(_POINT),
            "total": _POINT,
        },
        *("node", "model", "since", "until", "series"),
    ),
    "Request": record(
        {
            "id": text(),
            "asked_at": TIME,
            "ended_at": optional("string", format="date-time"),
            "status": text(enum=[outcome.value for outcome in Outcome]),
            "cached": {"type": "boolean"},
            "model_asked": text(),
            "model": text(description="What truly answered."),
            "provider": text(),
            "node": text(description="The machine that was asked."),
            "nodes": many(text()) | {"description": "Those that worked."},
            "ttft_ms": optional("number"),
            "latency_ms": optional("number"),
            "prompt_tokens": optional("integer"),
            "completion_tokens": optional("integer"),
            "cost_usd": optional("string", description="Decimal; null where it is not known."),
            "attempts": {"type": "integer"},
            "decision": optional("string"),
        },
        *("id", "asked_at", "ended_at", "status", "cached", "model_asked", "model", "provider"),
        *("node", "nodes", "ttft_ms", "latency_ms", "cost_usd"),
    ),
    "Requests": record(
        {"results": many(ref("Request")), "next": optional("string")}, "results", "next"
    ),
}


def _asked(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": text(minLength=1)}


def _read(summary: str, schema: str, *statuses: int, parameters: list[Json]) -> Json:
    answers = {"200": json_answer(summary, ref(schema)), **errors(401, 429, *statuses)}
    return {"get": {"summary": summary, "parameters": parameters, "responses": answers}}


HISTORY_PATHS: Json = {
    "/api/nodes/{name}/latency": _read(
        "How long a machine's requests took, over time",
        "LatencySeries",
        *(400, 404),
        parameters=[
            _in_path("name"),
            _asked("since", text(examples=["24h"]), SINCE),
            _asked("until", text(), "The same; now without it."),
            _asked("model", text(), "Only requests for this model."),
        ],
    ),
    "/api/requests": _read(
        "Requests, newest first",
        "Requests",
        400,
        parameters=[
            _asked("limit", {"type": "integer", "minimum": 1, "maximum": 200}, "How many at most."),
            _asked("before", text(), "What `next` of the page before said."),
            _asked("node", text(), "The machine that was asked: the door."),
            _asked("worked", text(), "A machine that worked, or was the door."),
            _asked("model", text(), "The model that answered."),
            _asked("status", text(enum=[o.value for o in Outcome]), "How they stand."),
            _asked("decision", text(enum=[d.value for d in RoutingDecision]), "What decided."),
            _asked("since", text(examples=["24h"]), SINCE),
            _asked("until", text(), "The same."),
        ],
    ),
    "/api/requests/{request_id}": _read(
        "One request, and why it went where it went",
        "Request",
        *(400, 404),
        parameters=[_in_path("request_id")],
    ),
}
