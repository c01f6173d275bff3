"""The door as programs meet it: a server process, exo behind it, OpenAI's client before it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
from openai import AsyncOpenAI, OpenAI

from tests.processes import TOKEN, Process, eventually

BEARER = {"Authorization": f"Bearer {TOKEN}"}
DAPHNE, UVICORN = "daphne", "uvicorn"


@contextmanager
def opened(server: str, exo: str, data: Path, *, model: str, **env: str) -> Iterator[Process]:
    """The whole application in a process of its own, once it knows that `model` is loaded."""
    with _process(server, exo, data, **env) as process:
        address = process.address()
        eventually(lambda: is_loaded(address, model))
        yield process


def _process(server: str, exo: str, data: Path, **env: str) -> Process:
    if server == UVICORN:
        return Process((sys.executable, "-m", "tests.under_uvicorn", exo), data, **env)
    return Process.manage("serve", "--port", "0", "--exo", exo, data=data, **env)


def is_loaded(address: str, model: str) -> bool:
    listed = httpx.get(f"{address}/v1/models", headers=BEARER, timeout=10, trust_env=False).json()
    return any(entry["id"] == model and entry["loaded"] for entry in listed["data"])


def sdk(address: str, **options: Any) -> OpenAI:
    return OpenAI(**{"base_url": f"{address}/v1", "api_key": TOKEN, "max_retries": 0, **options})


def async_sdk(address: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0, **options)


def say(words: str) -> list[Any]:
    return [{"role": "user", "content": words}]
