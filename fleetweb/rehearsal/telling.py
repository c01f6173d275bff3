"""How exo writes down what a model says: the events of a stream, or one completion."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .generation import Failed, Job, Prefill, Said, Stats, Token
from .state import encode

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts the pieces of one generation into exo's form."""

    job: Job
    rng: random.Random
    created: int = field(default_factory=lambda: int(time.time()))

    def event(self, piece: Said) -> bytes:
        match piece:
            case Prefill(processed, total):
                model = self.job.ask.model
                chunk = {"model": model, "processed_tokens": processed, "total_tokens": total}
                return _comment("prefill_progress", {"PrefillProgressChunk": chunk})
            case Token():
                return _data(self._chunk(piece))
            case Stats(document):
                return _comment("generation_stats", document)
            case Failed(message):
                error = {"message": message, "type": "InternalServerError", "code": 500}
                return _data({"error": error})

    def completion(self, said: Sequence[Token]) -> Json:
        """Everything at once, for a caller that does not stream."""
        message: Json = {
            "role": "assistant",
            "content": "".join(token.text for token in said if not token.thinking),
        }
        if thought := "".join(token.text for token in said if token.thinking):
            message["reasoning_content"] = thought
        choice = {"index": 0, "message": message, "finish_reason": said[-1].finish_reason}
        return self._envelope(choice) | {"usage": said[-1].usage}

    def _chunk(self, token: Token) -> Json:
        said = "reasoning_content" if token.thinking else "content"
        choice: Json = {"index": 0, "delta": {"role": "assistant", said: token.text}}
        if self.job.ask.logprobs:
            choice["logprobs"] = {"content": [self._logprob(token.text)]}
        if token.finish_reason:
            choice["finish_reason"] = token.finish_reason
        chunk = self._envelope(choice)
        return chunk | {"usage": token.usage} if token.usage else chunk

    def _envelope(self, choice: Json) -> Json:
        return {
            "id": self.job.command_id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.job.ask.model,
            "choices": [choice],
        }

    def _logprob(self, text: str) -> Json:
        chosen = -self.rng.expovariate(2)
        others = ((text, 0.0), (" or", 1.5), (" and", 2.5), (" so", 3.5))
        return {
            "token": text,
            "logprob": chosen,
            "top_logprobs": [
                {"token": other, "logprob": chosen - less, "bytes": list(other.encode())}
                for other, less in others[: self.job.ask.top_logprobs]
            ],
        }


def _data(document: Json) -> bytes:
    return b"data: " + encode(document) + b"\n\n"


def _comment(name: str, document: Json) -> bytes:
    return f": {name} ".encode() + encode(document) + b"\n\n"
