"""What goes in and comes out, by name."""

from fleetweb.core.balancing import LoadBalanceStrategy, RoutingDecision
from fleetweb.core.openai.requests import ROLES
from fleetweb.core.presence import CognitiveState

from .vocabulary import Json, many, optional, record, ref, text

STATE: Json = text(enum=[state.value for state in CognitiveState])

SCHEMAS: Json = {
    "Error": record(
        {
            "error": record(
                {
                    "message": text(),
                    "type": text(),
                    "param": optional("string"),
                    "code": optional("string"),
                },
                "message",
                "type",
            )
        },
        "error",
    ),
    "Model": record(
        {
            "id": text(),
            "object": text(const="model"),
            "created": {"type": "integer"},
            "owned_by": text(description="Whose it is: exo, or a provider outside the fleet."),
            "provider": text(),
            "loaded": optional("boolean", description="Null for a provider outside the fleet."),
            "loading": {"type": "boolean"},
            "nodes": many(text()) | {"description": "The machines that have it loaded."},
            "clusters": many(text()),
            "context_length": optional("integer"),
            "size_bytes": optional("integer"),
        },
        *("id", "object", "created", "owned_by", "provider", "loaded"),
    ),
    "Models": record({"object": text(const="list"), "data": many(ref("Model"))}, "object", "data"),
    "Message": record(
        {
            "role": text(enum=sorted(ROLES)),
            "content": {"type": ["string", "array", "null"], "items": {"type": "object"}},
            "tool_calls": many({"type": "object"}),
            "tool_call_id": text(),
        },
        "role",
        "content",
    ),
    "ChatRequest": record(
        {
            "model": text(
                minLength=1,
                examples=["auto"],
                description="An id, its last part, an alias, or `auto` for any that is loaded.",
            ),
            "messages": many(ref("Message")) | {"minItems": 1},
            "stream": {"type": "boolean"},
            "stream_options": record({"include_usage": {"type": "boolean"}}),
            "temperature": {"type": "number"},
            "top_p": {"type": "number"},
            "max_tokens": {"type": "integer", "minimum": 0},
            "max_completion_tokens": {"type": "integer", "minimum": 0},
            "seed": {"type": "integer"},
            "stop": {"type": ["string", "array"], "items": {"type": "string"}},
            "tools": many({"type": "object"}),
            "logprobs": {"type": "boolean"},
            "top_logprobs": {"type": "integer", "minimum": 0},
        },
        "model",
        "messages",
        description="OpenAI's fields, and any others: what is unknown here reaches exo untouched.",
    ),
    "Usage": record(
        {
            "prompt_tokens": {"type": "integer"},
            "completion_tokens": {"type": "integer"},
            "total_tokens": {"type": "integer"},
        },
        *("prompt_tokens", "completion_tokens", "total_tokens"),
    ),
    "ChatCompletion": record(
        {
            "id": text(),
            "object": text(const="chat.completion"),
            "created": {"type": "integer"},
            "model": text(description="What truly answered."),
            "choices": many(
                record(
                    {
                        "index": {"type": "integer"},
                        "message": record(
                            {"role": text(), "content": optional("string")}, "role", "content"
                        ),
                        "finish_reason": optional("string"),
                        "logprobs": optional("object"),
                    },
                    *("index", "message", "finish_reason"),
                )
            ),
            "usage": {"anyOf": [ref("Usage"), {"type": "null"}]},
        },
        *("id", "object", "created", "model", "choices", "usage"),
    ),
    "Candidate": record(
        {
            "cluster": text(),
            "node": text(),
            "node_endpoint": text(),
            "score": {"type": "number"},
            "parts": {"type": "object", "additionalProperties": {"type": "number"}},
            "excluded": optional("string", description="Why it could not be chosen."),
            "model_loaded": {"type": "boolean"},
            "holds_shard": {"type": "boolean"},
            "in_hand": {"type": "integer"},
            "waiting": {"type": "integer"},
            "estimated_latency_ms": optional("number"),
            "samples": {"type": "integer"},
        },
        *("cluster", "node", "node_endpoint", "score", "excluded"),
    ),
    "RouteResult": record(
        {
            "node_endpoint": text(),
            "reason": text(),
            "estimated_latency_ms": optional("number"),
            "model_loaded": {"type": "boolean"},
            "candidates": many(ref("Candidate")),
            "decision": text(enum=[decision.value for decision in RoutingDecision]),
            "strategy": optional("string", enum=[*(s.value for s in LoadBalanceStrategy), None]),
            "cluster": optional("string"),
            "node": optional("string"),
        },
        *("node_endpoint", "reason", "estimated_latency_ms", "model_loaded", "candidates"),
        *("decision", "strategy", "cluster", "node"),
    ),
    "NodePresence": record(
        {
            "name": text(),
            "role": text(),
            "memory_gb": optional("integer"),
            "presence": text(description="What it is doing, as a sentence."),
            "cognitive_state": STATE,
            "current_task": optional("string", description="A preview, for the owner only."),
            "is_grappling": {"type": "boolean"},
            "loaded_models": many(text()),
            "intensity": {"type": "number", "minimum": 0, "maximum": 1},
        },
        *("name", "role", "memory_gb", "presence", "cognitive_state", "current_task"),
        *("is_grappling", "loaded_models"),
    ),
    "Presence": record(
        {
            "fleet_status": text(enum=["healthy", "degraded", "offline"]),
            "presence_message": text(),
            "total_memory_gb": {"type": "number"},
            "cognitive_intensity": {"type": "number", "minimum": 0, "maximum": 1},
            "nodes": many(ref("NodePresence")),
            "available_models": many(text()),
            "rehearsal": {"type": "boolean"},
        },
        *("fleet_status", "presence_message", "total_memory_gb", "cognitive_intensity"),
        *("nodes", "available_models"),
    ),
    "ClusterStatus": record(
        {
            "total_nodes": {"type": "integer"},
            "healthy_nodes": {"type": "integer"},
            "total_memory_gb": {"type": "number"},
            "available_memory_gb": {"type": "number"},
            "loaded_models": many(text()),
            "master_node": optional("string"),
            "status": text(enum=["healthy", "degraded", "offline"]),
        },
        *("total_nodes", "healthy_nodes", "total_memory_gb", "available_memory_gb"),
        *("loaded_models", "master_node", "status"),
    ),
}
