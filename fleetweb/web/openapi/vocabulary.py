"""The words of OpenAPI that the parts of the document are made of."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

# What a status means wherever it comes, in the shape that OpenAI's clients expect.
ERRORS: Final[Mapping[int, str]] = {
    400: "The request is malformed; `param` names the field at fault.",
    401: "Neither the owner's token, nor a key, nor a session of a page of this host.",
    403: "Not allowed to whoever asks, such as a form without its proof.",
    404: "Nothing is known by that name.",
    413: "The body is larger than is taken.",
    415: "The body is packed.",
    429: "Too much at once, or a key has used what it may; `Retry-After` says how long to wait.",
    502: "Whoever was asked gave no usable answer.",
    503: "Nothing can answer at the moment.",
}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def json_answer(description: str, schema: Json, **headers: str) -> Json:
    told = {name: {"schema": {"type": "string"}, "description": d} for name, d in headers.items()}
    content = {"application/json": {"schema": schema}}
    return {"description": description, "content": content, **({"headers": told} if told else {})}


def errors(*statuses: int) -> Json:
    """The answers of an operation that went wrong."""
    return {str(status): json_answer(ERRORS[status], ref("Error")) for status in statuses}


def record(properties: Json, *required: str, **rest: Any) -> Json:
    """An object with at least `required`; there may always be more."""
    return {"type": "object", "properties": properties, "required": list(required), **rest}


def optional(kind: str, **rest: Any) -> Json:
    """A value, or null where nobody knows."""
    return {"type": [kind, "null"], **rest}


def many(items: Json) -> Json:
    return {"type": "array", "items": items}


def text(**rest: Any) -> Json:
    return {"type": "string", **rest}


def body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def header(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "header", "schema": schema, "description": description}
