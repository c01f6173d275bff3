"""What can be asked for, and every status that it may be answered with."""

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.gateway.caller import Reach

from ..v1.callers import FALLBACK, STRATEGY
from .vocabulary import Json, body, errors, header, json_answer, record, ref, text

WISHES: list[Json] = [
    header(
        FALLBACK,
        text(enum=[reach.value for reach in Reach], default=Reach.ANY.value),
        "How far a request may go that the fleet can't answer: any, local (in the house), none.",
    ),
    header(
        STRATEGY,
        text(enum=[strategy.value for strategy in LoadBalanceStrategy]),
        "How the place is chosen; the owner's setting without it.",
    ),
]
TOLD = {
    "x-fleetweb-request": "The id of the request, under which it is remembered.",
    "x-fleetweb-provider": "Who answered: exo, or a provider that stood in.",
    "x-fleetweb-node": "The machine that was asked.",
    "x-fleetweb-attempts": "How many tries it took.",
    "x-fleetweb-cached": "`hit` for an answer from memory.",
}
STREAM: Json = {
    "schema": text(),
    "description": "`chat.completion.chunk` events, then `[DONE]`; progress stands in comments.",
}


def _answer() -> Json:
    answer = json_answer("The answer, whole or as a stream.", ref("ChatCompletion"), **TOLD)
    answer["content"]["text/event-stream"] = STREAM
    return answer


def _read(summary: str, description: str, schema: Json, *statuses: int) -> Json:
    answers = {"200": json_answer(description, schema), **errors(401, 429, *statuses)}
    return {"get": {"summary": summary, "responses": answers}}


PATHS: Json = {
    "/v1/models": _read(
        "Every model that could answer, and where it is loaded", "All of them.", ref("Models")
    ),
    "/v1/models/{model}": {
        "parameters": [
            {
                "name": "model",
                "in": "path",
                "required": True,
                "schema": text(minLength=1),
                "description": "Any name that the model goes by; slashes may stand as they are.",
            }
        ],
        **_read("One model", "The model.", ref("Model"), 404, 503),
    },
    "/v1/chat/completions": {
        "post": {
            "summary": "Ask for an answer",
            "parameters": [
                *WISHES,
                header("Cache-Control", text(), "`no-cache`: not an answer from memory."),
            ],
            "requestBody": body(ref("ChatRequest")),
            "responses": {
                "200": _answer(),
                **errors(400, 401, 404, 413, 415, 429, 502, 503),
            },
        }
    },
    "/api/route": {
        "post": {
            "summary": "Where a request would go, with nothing sent",
            "parameters": WISHES,
            "requestBody": body(ref("ChatRequest")),
            "responses": {
                "200": json_answer("The place, and what else there was.", ref("RouteResult")),
                **errors(400, 401, 403, 404, 413, 429, 503),
            },
        }
    },
    "/api/presence": _read(
        "What every machine is doing", "The fleet at this moment.", ref("Presence")
    ),
    "/api/replay": {
        "parameters": [
            {
                "name": "at",
                "in": "query",
                "schema": text(examples=["2026-11-23T14:30:00Z"]),
                "description": "A past moment; a minute ago where it is left out.",
            }
        ],
        **_read("What every machine did at a past moment", "The fleet then.", ref("Presence"), 400),
    },
    "/api/cluster": _read("The fleet in figures", "The figures.", ref("ClusterStatus")),
    "/api/openapi.json": _read("This document", "The document.", {"type": "object"}),
    "/healthz": {
        "get": {
            "summary": "Whether pages can be served; open to all",
            "security": [],
            "responses": {
                status: json_answer(said, record({"status": text()}, "status"))
                for status, said in (("200", "They can."), ("503", "The database is away."))
            },
        }
    },
    "/metrics": {
        "get": {
            "summary": "Figures for Prometheus",
            "responses": {
                "200": {
                    "description": "In Prometheus' text format.",
                    "content": {"text/plain": {"schema": text()}},
                },
                **errors(401, 429),
            },
        }
    },
}
