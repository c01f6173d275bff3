"""The models this fleet knows: as many as exo lists, so that /state weighs what it weighs."""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .pace import Pace, pace_of

Json = dict[str, Any]

BITS = {"3bit": 3.5, "4bit": 4.5, "5bit": 5.5, "6bit": 6.5, "8bit": 8.5, "bf16": 16.0, "": 4.5}


@dataclass(frozen=True)
class Card:
    """One model as exo describes it."""

    id: str
    parameters_b: float
    active_b: float
    layers: int
    hidden: int
    heads: int
    family: str
    base: str
    quantization: str
    capabilities: tuple[str, ...]
    context: int

    @property
    def storage_bytes(self) -> int:
        return int(self.parameters_b * 1e9 * BITS[self.quantization] / 8)

    @property
    def thinks(self) -> bool:
        return "thinking" in self.capabilities

    @cached_property
    def pace(self) -> Pace:
        return pace_of(self.storage_bytes, self.active_b / self.parameters_b)

    @property
    def directory(self) -> str:
        return f"/Users/exo/.exo/models/{self.id.replace('/', '--')}"

    @property
    def reasoning_dialect(self) -> str:
        return "post_last_user" if self.thinks else "none"

    @cached_property
    def document(self) -> Json:
        """The `modelCard` of /state. Source: exo 0.3.70."""
        return {
            "modelId": self.id,
            "storageSize": {"inBytes": self.storage_bytes},
            "nLayers": self.layers,
            "hiddenSize": self.hidden,
            "supportsTensor": True,
            "numKeyValueHeads": self.heads,
            "tasks": ["TextGeneration"],
            "components": None,
            "family": self.family,
            "quantization": self.quantization,
            "baseModel": self.base,
            "capabilities": list(self.capabilities),
            "backends": ["MlxMetal", "MlxCuda", "MlxCpu"],
            "reasoningDialect": self.reasoning_dialect,
            "contextLength": self.context,
            "usesCfg": False,
            "trustRemoteCode": True,
            "isCustom": False,
            "vision": None,
            "samplingDefaults": SAMPLING,
        }

    def listing(self, created: int) -> Json:
        """The model's entry of `GET /models`, which is snake_case."""
        return {
            "id": self.id,
            "object": "model",
            "created": created,
            "owned_by": "exo",
            "hugging_face_id": self.id,
            "name": self.id.rpartition("/")[2],
            "description": "",
            "context_length": self.context,
            "tags": [],
            "storage_size_megabytes": self.storage_bytes // 1_048_576,
            "supports_tensor": True,
            "tasks": ["TextGeneration"],
            "is_custom": False,
            "family": self.family,
            "quantization": self.quantization,
            "base_model": self.base,
            "capabilities": list(self.capabilities),
            "reasoning_dialect": self.reasoning_dialect,
        }


SAMPLING: Json = {
    "temperature": 0.6,
    "topP": 0.95,
    "topK": None,
    "minP": None,
    "repetitionPenalty": None,
    "presencePenalty": None,
    "frequencyPenalty": None,
    "thinking": None,
    "nonThinking": None,
}


def _cards() -> dict[str, Card]:
    """Every model of catalogue.csv in every quantization; "-" is one that has no suffix."""
    with (Path(__file__).parent / "catalogue.csv").open(newline="") as table:
        rows = tuple(csv.DictReader(table))
    cards = (_card(row, kind) for row in rows for kind in row["quantizations"].split())
    return {card.id: card for card in cards}


def _card(row: dict[str, str], kind: str) -> Card:
    quantization = "" if kind == "-" else kind
    return Card(
        id=f"mlx-community/{row['name']}" + (f"-{quantization}" if quantization else ""),
        parameters_b=float(row["parameters_b"]),
        active_b=float(row["active_b"]),
        layers=int(row["layers"]),
        hidden=int(row["hidden"]),
        heads=int(row["heads"]),
        family=row["family"],
        base=row["base"],
        quantization=quantization,
        capabilities=tuple(row["capabilities"].split()),
        context=int(row["context"]),
    )


CATALOGUE: dict[str, Card] = _cards()

SMALL = "mlx-community/Llama-3.2-8B-Instruct-4bit"
MEDIUM = "mlx-community/Llama-3.3-70B-Instruct-4bit"
LOADING = "mlx-community/Qwen2.5-72B-Instruct-4bit"
LARGE = "mlx-community/Qwen3-235B-A22B-Thinking-4bit"
FRONTIER = "mlx-community/DeepSeek-V3.1-671B-4bit"

ON_DISK: tuple[str, ...] = (
    SMALL,
    MEDIUM,
    LOADING,
    LARGE,
    FRONTIER,
    "mlx-community/Mistral-7B-Instruct-v0.3-4bit",
    "mlx-community/Qwen2.5-7B-Instruct-4bit",
    "mlx-community/Kimi-K2-Thinking",
)
