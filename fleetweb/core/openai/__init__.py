"""OpenAI's JSON on one side, `core.chat` on the other: requests in, answers and errors out."""

from .answers import ChunkWriter, comment, completion_body, done, model_list
from .errors import InvalidRequest, answer_to, error_body, error_event
from .requests import decode_json, parse_request

__all__ = [
    "ChunkWriter",
    "InvalidRequest",
    "answer_to",
    "comment",
    "completion_body",
    "decode_json",
    "done",
    "error_body",
    "error_event",
    "model_list",
    "parse_request",
]
