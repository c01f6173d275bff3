"""exo's catalogue and its ways to place a model."""

import json
from typing import Any

import pytest

from fleetweb.errors import ClusterReplyInvalid
from fleetweb.upstream.exo_models import ModelCard, Preview, decode_models, decode_previews
from tests.recordings import load, needs_recordings


def recorded(name: str) -> bytes:
    return json.dumps(load(name)["body"]).encode()


@needs_recordings
def test_reads_the_whole_catalogue() -> None:
    cards = decode_models(recorded("models.json"))
    assert len(cards) == len(load("models.json")["body"]["data"])
    assert cards[2] == ModelCard(
        id="mlx-community/GLM-4.7-8bit-gs32",
        name="GLM-4.7-8bit-gs32",
        storage_bytes=378_574 * 1024 * 1024,
        context_length=202_752,
        family="glm",
        quantization="8bit",
        capabilities=("text", "thinking", "thinking_toggle"),
        reasoning_dialect="post_last_user",
        base_model="GLM 4.7",
    )


@needs_recordings
def test_its_megabytes_are_those_of_the_state_s_bytes() -> None:
    nemotron = decode_models(recorded("models.json"))[0]
    assert nemotron.storage_bytes is not None
    assert abs(nemotron.storage_bytes - 2_538_706_944) < 1024 * 1024


@needs_recordings
def test_previews_tell_the_possible_from_the_impossible() -> None:
    previews = decode_previews(recorded("mid-previews.json"))
    node = "1c5710e307d394b5d6eefa10bc6686d4"
    assert previews[:2] == (
        Preview("Pipeline", "MlxRing", True, (node,), ((node, 111_183_872),)),
        Preview("Pipeline", "MlxJaccl", False),
    )


@needs_recordings
def test_previews_of_four_machines_spread_over_all_of_them() -> None:
    previews = decode_previews(recorded("4nodes-previews.json"))
    assert {len(p.node_ids) for p in previews if p.possible} == {1, 2, 3, 4}


@pytest.mark.parametrize("entry", [None, 5, {}, {"id": 5}])
def test_an_entry_that_cannot_be_read_costs_itself(entry: Any) -> None:
    body = json.dumps({"data": [entry, {"id": "org/Big"}]}).encode()
    assert decode_models(body) == (ModelCard("org/Big", "Big"),)


def test_what_a_card_does_not_tell_is_none() -> None:
    body = (
        b'{"data": [{"id": "a/b", "storage_size_megabytes": 0, "context_length": 0, "family": ""}]}'
    )
    assert decode_models(body) == (ModelCard("a/b", "b"),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "exo sent a web page instead of its list of models"),
        (b'{"detail": "Not Found"}', "exo sent JSON that is not its list of models"),
        (b"", "exo sent an empty answer instead of its list of models"),
    ],
)
def test_says_what_came_instead_of_a_list(body: bytes, words: str) -> None:
    with pytest.raises(ClusterReplyInvalid) as raised:
        decode_models(body)
    assert str(raised.value).startswith(words)
    with pytest.raises(ClusterReplyInvalid, match="its ways to place a model"):
        decode_previews(body)
