"""exo's API over real sockets: what is asked of it, and what its failures are called."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetweb.errors import ClusterError, ClusterReplyInvalid, ClusterUnreachable
from fleetweb.upstream import http
from fleetweb.upstream.exo import Exo
from tests.upstream.faulty import Answer, cut, dripping, flood, recording, reply, serving, silent
from tests.upstream.test_exo_tolerance import a_shard, a_state

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
ACCEPTED = reply(b'{"message": "Command received.", "command_id": "c7"}')


@pytest.fixture(autouse=True)
async def _closed_client() -> AsyncIterator[None]:
    yield
    await http.aclose()


def as_json(value: Any, status: str = "200 OK") -> Answer:
    return reply(json.dumps(value).encode(), status, "content-type: application/json")


async def test_reads_the_state_at_the_moment_it_is_told() -> None:
    async with serving(as_json(a_state())) as url:
        snapshot = await Exo(url + "/").state(now=NOW)
    assert snapshot.seen_at == NOW
    assert [node.name for node in snapshot.nodes] == ["king", "soldier1"]


async def test_asks_for_the_state_and_for_nothing_else() -> None:
    asked: list[bytes] = []
    async with serving(recording(asked, as_json(a_state()))) as url:
        await Exo(url).state(now=NOW)
    assert [raw.split(b"\r\n")[0] for raw in asked] == [b"GET /state HTTP/1.1"]


async def test_asks_again_on_the_same_connection() -> None:
    connections: list[bytes] = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(b"")
        await as_json(a_state())(reader, writer)

    async with serving(counting) as url:
        for _ in range(3):
            await Exo(url).state(now=NOW)
    assert len(connections) == 1


async def test_nobody_there_is_unreachable_and_names_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterUnreachable) as raised:
        await Exo(url).state(now=NOW)
    assert str(raised.value) == f"exo at {url} refused the connection; is it running?"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (silent, "did not answer within 0.3 s"),
        (dripping(every_s=0.01), "did not answer within 0.3 s"),
        (cut(b'{"topology"', promised=5000), "broke off before its answer was complete"),
        (reply(b"Internal Server Error", "500 Oops"), "answered 500: it failed over the request"),
        (
            reply(b"", "307 Temporary Redirect", "location: https://exo.example/"),
            "redirects to https://exo.example/; give its real address",
        ),
    ],
    ids=["silent", "drip", "cut", "500", "redirect"],
)
async def test_no_usable_answer_is_unreachable(answer: Answer, words: str) -> None:
    async with serving(answer) as url, asyncio.timeout(10):
        with pytest.raises(ClusterUnreachable) as raised:
            await Exo(url).state(now=NOW, timeout_s=0.3)
    assert str(raised.value) == f"exo at {url} {words}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(b"<!doctype html>"), "sent a web page instead of exo's state"),
        (reply(b""), "sent an empty answer instead of exo's state"),
        (as_json({"status": "ok"}), "sent JSON that is not exo's state"),
        (reply(json.dumps(a_state()).encode()[:500]), "sent an answer that was cut off"),
        (flood([], declared=True), "sent more than 64 MB, which is not read further"),
        (flood([], declared=False), "sent more than 64 MB, which is not read further"),
    ],
    ids=["html", "empty", "other", "truncated", "declared-flood", "flood"],
)
async def test_an_answer_that_is_not_exo_s_is_invalid(answer: Answer, words: str) -> None:
    async with serving(answer) as url, asyncio.timeout(20):
        with pytest.raises(ClusterReplyInvalid) as raised:
            await Exo(url).state(now=NOW, timeout_s=15)
    assert str(raised.value).startswith(f"exo at {url} {words}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:secret@king.local:52415/", "http://king.local:52415"),
        ("me:secret@king.local:52415?key=secret", "king.local:52415"),
        ("king.local:52415", "king.local:52415"),
        ("http://[fd00::1]:52415", "http://[fd00::1]:52415"),
        ("http://[::1", "a malformed address"),
    ],
)
def test_shows_its_address_without_secrets(url: str, shown: str) -> None:
    assert str(Exo(url)) == f"exo at {shown}"


async def test_tells_which_node_answers() -> None:
    async with serving(as_json("984f20de71b13135f34bd27bba35e896")) as url:
        assert await Exo(url).node_id() == "984f20de71b13135f34bd27bba35e896"


@pytest.mark.parametrize("answer", [as_json({"id": 5}), reply(b"<html>"), reply(b'"half')])
async def test_an_odd_node_id_is_invalid(answer: Answer) -> None:
    async with serving(answer) as url:
        with pytest.raises(ClusterReplyInvalid, match="its node id"):
            await Exo(url).node_id()


async def command(call: str, *args: Any, answer: Answer = ACCEPTED, **kwargs: Any) -> Any:
    """What `Exo.<call>` asked, and what it returned: (request line, body, result)."""
    asked: list[bytes] = []
    async with serving(recording(asked, answer)) as url:
        result = await getattr(Exo(url), call)(*args, **kwargs)
    head, _, body = asked[-1].partition(b"\r\n\r\n")
    return head.split(b" HTTP")[0].decode(), json.loads(body or b"null"), result


async def test_places_a_model_as_asked() -> None:
    assert await command(
        "place", "org/Big", sharding="Tensor", instance_meta="MlxJaccl", min_nodes=2
    ) == (
        "POST /place_instance",
        {
            "model_id": "org/Big",
            "sharding": "Tensor",
            "instance_meta": "MlxJaccl",
            "min_nodes": 2,
        },
        "c7",
    )


async def test_deletes_an_instance_by_its_id_alone() -> None:
    line, body, result = await command("delete_instance", "a/../b?c")
    assert (line, body, result) == ("DELETE /instance/a%2F..%2Fb%3Fc", None, "c7")


async def test_deleting_an_unknown_instance_says_that_it_is_not_there() -> None:
    gone = as_json({"error": {"message": "Instance not found"}}, "404 Not Found")
    async with serving(gone) as url:
        with pytest.raises(ClusterUnreachable, match="it does not have what was asked for"):
            await Exo(url).delete_instance("nope")


async def test_cancels_a_download() -> None:
    answer = as_json({"commandId": "c8"})
    assert await command("cancel_download", "n1", "org/Big", answer=answer) == (
        "POST /download/cancel",
        {"targetNodeId": "n1", "modelId": "org/Big"},
        "c8",
    )


async def test_starts_a_download_with_exo_s_own_description_of_the_model() -> None:
    shard = a_shard(0, 0, 8)
    other = json.loads(json.dumps(shard).replace("org/Big", "org/Other"))
    entries = [{"DownloadPending": {"shardMetadata": s}} for s in (other, shard)]
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        then = ACCEPTED if asked else as_json(entries)
        await recording(asked, then)(reader, writer)
        writer.close()

    async with serving(answer) as url:
        await Exo(url).start_download("n1", "org/Big")
    assert asked[0].startswith(b"GET /state/downloads/n1 HTTP/1.1")
    assert asked[1].startswith(b"POST /download/start HTTP/1.1")
    body = json.loads(asked[1].partition(b"\r\n\r\n")[2])
    assert body == {"targetNodeId": "n1", "shardMetadata": shard}


@pytest.mark.parametrize("entries", [[], {"a": 1}, [{"DownloadPending": {"shardMetadata": 3}}]])
async def test_does_not_start_a_download_that_exo_cannot_describe(entries: Any) -> None:
    async with serving(as_json(entries)) as url:
        with pytest.raises(ClusterError, match="has no org/Big in the catalogue of that machine"):
            await Exo(url).start_download("n1", "org/Big")
