"""Each fault on the wire: it does what it says, and ends when healed."""

import asyncio
import json

import httpx2 as httpx
import pytest

from fleetweb.errors import ConfigError
from fleetweb.rehearsal import LARGE, SMALL, Fault, FaultKind, Rehearsal

from .asking import Caller, chunks, prompt, said
from .waiting import until


async def look(caller: Caller, kind: FaultKind, door: str = "king") -> httpx.Response:
    """The first answer of `/state` after the fault was injected."""
    caller.fleet.inject(Fault(kind))
    return await caller.get("/state", door)


async def test_malformed_state_is_whole_but_no_json(caller: Caller) -> None:
    answer = await look(caller, FaultKind.STATE_MALFORMED)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_truncated_state_ends_before_its_length(caller: Caller) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await look(caller, FaultKind.STATE_TRUNCATED)


async def test_huge_state_is_fifty_megabytes_of_valid_json(caller: Caller) -> None:
    answer = await look(caller, FaultKind.STATE_HUGE)
    assert len(answer.content) > 50_000_000
    assert len(answer.json()["topology"]["nodes"]) == 4


async def test_strange_state_has_variants_nobody_knows(caller: Caller) -> None:
    state = (await look(caller, FaultKind.STATE_STRANGE)).json()
    assert {"RunnerMeditating": {"breaths": 3}} in state["runners"].values()
    assert "nodeMoods" in state


async def test_html_state_is_a_sign_in_page(caller: Caller) -> None:
    answer = await look(caller, FaultKind.STATE_HTML)
    assert answer.headers["content-type"].startswith("text/html")


async def test_error_state_is_a_500(caller: Caller) -> None:
    answer = await look(caller, FaultKind.STATE_ERROR)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


async def test_redirecting_state_points_elsewhere(caller: Caller) -> None:
    answer = await look(caller, FaultKind.STATE_REDIRECTS)
    assert (answer.status_code, answer.headers["location"]) == (307, "/sign-in")


async def test_healed_state_is_well_again(caller: Caller) -> None:
    await look(caller, FaultKind.STATE_ERROR)
    caller.fleet.heal(FaultKind.STATE_ERROR)
    assert (await caller.get("/state")).status_code == 200


async def test_spoilt_state_heals_itself_when_its_time_is_over(caller: Caller) -> None:
    caller.fleet.inject(Fault(FaultKind.STATE_ERROR, for_s=30))
    assert (await caller.get("/state")).status_code == 500

    async def is_well() -> bool:
        return (await caller.get("/state")).status_code == 200

    await until(is_well)


async def test_fault_of_one_node_leaves_the_others_alone(caller: Caller) -> None:
    caller.fleet.inject(Fault(FaultKind.STATE_ERROR, node="king"))
    assert (await caller.get("/state", "soldier1")).status_code == 200
    assert (await caller.get("/state", "king")).status_code == 500


async def test_slow_answers_come_late(caller: Caller) -> None:
    caller.fleet.inject(Fault(FaultKind.SLOW_ANSWERS, node="king", delay_s=60))
    asking = asyncio.create_task(caller.get("/node_id", "king"))
    before = await index(caller)

    async def a_beat_has_passed() -> bool:
        return await index(caller) > before + len(caller.fleet.nodes)

    await until(a_beat_has_passed)
    assert not asking.done()
    assert (await asking).status_code == 200


async def index(caller: Caller) -> int:
    return int((await caller.get("/state/lastEventAppliedIdx", "soldier1")).text)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (FaultKind.THINKING_CONTRADICTS, "contradict"),
        (FaultKind.THINKING_RECURSES, "Let me"),
        (FaultKind.THINKING_CIRCLES, "depends on the season. "),
    ],
)
async def test_thinking_goes_wrong_as_told_and_only_once(
    fleet: Rehearsal, caller: Caller, kind: FaultKind, word: str
) -> None:
    await fleet.place(LARGE)
    fleet.inject(Fault(kind))
    wrong = said([e async for e in caller.events(prompt(model=LARGE))], "reasoning_content")
    plain = said([e async for e in caller.events(prompt(model=LARGE))], "reasoning_content")
    assert repeats(wrong) > repeats(plain) or word in wrong
    assert word not in plain


def repeats(text: str) -> int:
    """How often its commonest sentence comes."""
    sentences = text.split(". ")
    return max(sentences.count(sentence) for sentence in sentences)


async def test_model_without_thoughts_goes_in_circles_in_its_answer(
    fleet: Rehearsal, caller: Caller
) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.THINKING_CIRCLES, model=SMALL))
    assert repeats(said([e async for e in caller.events(prompt())])) >= 10


async def test_stalled_tokens_come_after_keep_alives(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.TOKENS_STALL, for_s=25))
    heard: list[str] = []
    await caller.listen(prompt("a long story", max_tokens=400), heard)
    assert heard[1:].count(": keep-alive") >= 2
    assert heard[-1] == "data: [DONE]"


async def test_empty_answer_is_200_and_nothing(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.EMPTY_ANSWER, count=2))
    streamed = await caller.chat(prompt(stream=True))
    whole = await caller.chat(prompt())
    assert [(a.status_code, a.text) for a in (streamed, whole)] == [(200, "")] * 2
    assert (await caller.chat(prompt(max_tokens=1))).json()["object"] == "chat.completion"


async def test_cut_stream_ends_in_the_middle(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.STREAM_CUT, after_tokens=3))
    heard: list[str] = []
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.listen(prompt(), heard)
    assert len(chunks(heard)) == 3


async def test_stream_ends_cleanly_without_a_finish(fleet: Rehearsal, caller: Caller) -> None:
    await fleet.place(SMALL)
    fleet.inject(Fault(FaultKind.STREAM_ENDS, after_tokens=0))
    heard: list[str] = []
    await caller.listen(prompt(), heard)
    assert heard == [": keep-alive"]


async def test_node_dies_for_a_while_and_returns_under_a_new_id(fleet: Rehearsal) -> None:
    worker = fleet.node("soldier1")
    known = worker.id
    fleet.inject(Fault(FaultKind.NODE_DIES, node="soldier1", for_s=5))
    await until(lambda: not worker.is_up)
    await until(lambda: worker.is_up and worker.id != known)


async def test_node_hangs_for_a_while_and_goes_on(fleet: Rehearsal, caller: Caller) -> None:
    worker = fleet.node("soldier1")
    known = worker.id
    fleet.inject(Fault(FaultKind.NODE_HANGS, node="soldier1", for_s=5))
    await until(lambda: worker.is_hung)
    assert (await caller.get("/node_id", "soldier1")).json() == known


async def test_killed_master_returns_as_a_worker(fleet: Rehearsal, caller: Caller) -> None:
    fleet.inject(Fault(FaultKind.MASTER_DIES, for_s=1))

    async def all_are_back() -> bool:
        if fleet.node("king").is_up and fleet.master is fleet.node("soldier1"):
            nodes = (await caller.get("/state/topology", "soldier1")).json()["nodes"]
            return set(nodes) == {node.id for node in fleet.nodes}
        return False

    await until(all_are_back)


async def test_faults_given_at_the_start_come_at_their_time() -> None:
    fault = Fault(FaultKind.NODE_DIES, at=2, node="soldier3")
    async with Rehearsal(speed=60, faults=[fault]) as fleet:
        assert fleet.node("soldier3").is_up
        await until(lambda: not fleet.node("soldier3").is_up)


async def test_fault_without_the_node_it_needs_is_refused(fleet: Rehearsal) -> None:
    with pytest.raises(ConfigError, match="node_dies needs a node: one of king, soldier1"):
        fleet.inject(Fault(FaultKind.NODE_DIES))


async def test_fault_for_a_node_that_is_not_there_is_refused(fleet: Rehearsal) -> None:
    with pytest.raises(ConfigError, match="no node 'drummer'; it has king, soldier1"):
        fleet.inject(Fault(FaultKind.NODE_DIES, node="drummer"))
