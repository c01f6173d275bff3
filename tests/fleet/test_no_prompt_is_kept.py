"""What callers write is nowhere: not in the database, the logs or the metrics."""

import asyncio
import re
from pathlib import Path

import httpx2 as httpx
import pytest

from fleetweb.rehearsal import SMALL, Rehearsal
from tests.processes import TOKEN, Process
from tests.rehearsal.waiting import until

from .looking import PATIENCE_S

CANARY = "Zuleika-the-canary"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def _sing(client: httpx.AsyncClient, fleet: Rehearsal) -> None:
    body = {
        "model": SMALL,
        "messages": [{"role": "user", "content": f"{CANARY} plans a garden in detail"}],
        "stream": True,
        "max_tokens": 4000,
    }
    url = fleet.node("king").url + "/v1/chat/completions"
    async with client.stream("POST", url, json=body) as answer:
        async for _ in answer.aiter_bytes():
            pass


@pytest.mark.parametrize("ended", ["clean", "killed"])
async def test_a_prompt_sent_to_exo_is_seen_and_kept_nowhere(tmp_path: Path, ended: str):
    async with Rehearsal() as fleet, httpx.AsyncClient(timeout=60, trust_env=False) as client:
        await fleet.place(SMALL, ["king"])
        with Process.manage(
            "serve", "--port", "0", "--exo", fleet.urls[0], data=tmp_path
        ) as process:
            address = await asyncio.to_thread(process.address)
            singing = asyncio.create_task(_sing(client, fleet))

            async def ask(path: str) -> str:
                return (await client.get(address + path, headers=BEARER)).text

            async def owner_sees_it() -> bool:
                return CANARY in await ask("/api/presence")

            await until(owner_sees_it, PATIENCE_S)
            await until(lambda: b"processing" in _database(tmp_path), PATIENCE_S)
            assert CANARY not in await ask("/metrics")
            singing.cancel()
            await asyncio.gather(singing, return_exceptions=True)
            if ended == "clean":
                assert (await asyncio.to_thread(process.stop)).code == 0
    kept = _kept(tmp_path)
    assert {"fleetweb.sqlite3", "stdout", "stderr"} <= kept.keys()
    assert [name for name, body in kept.items() if re.search(rb"zuleika", body, re.I)] == []


def _kept(data: Path) -> dict[str, bytes]:
    """Every file that a process left: the database, its journal, what it logged."""
    return {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def _database(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in data.glob("fleetweb.sqlite3*"))
