"""What machines say of the streams they work for: every rule, its evidence, and their order."""

from dataclasses import replace

import pytest

from fleetweb.core.discretion import discreet
from fleetweb.core.evidence import Evidence
from fleetweb.core.snapshot import RunnerPhase
from fleetweb.core.streams import Stage

from .sights import (
    at,
    evidence,
    instance,
    node,
    presence,
    said,
    shard,
    snapshot,
    states,
    stream,
    task,
    watching,
)

RUNNING, READY = RunnerPhase.RUNNING, RunnerPhase.READY
SHARED = instance(shard("king", RUNNING), shard("soldier1", RUNNING))
ON_KING = instance(shard("king", RUNNING))
SILENCE = (Evidence("gap_ms", 40_120, 22_000, "stream"),)
LOOP = (
    Evidence("cycle_words", 24, source="stream"),
    Evidence("cycle_repeats", 5, 3, "stream"),
)
DOUBT = (Evidence("contradiction_likelihood", 0.97, 0.9, "stream"),)
RETURNS = (Evidence("revisits", 4, 3, "stream"),)
SHOWS = {
    "silent": {"silent": True, "evidence": SILENCE},
    "circling": {"circling": True, "evidence": LOOP},
    "resolving": {"recursive": True, "evidence": RETURNS},
    "grappling": {"contradiction": True, "evidence": DOUBT},
}
SENTENCES = {
    "silent": "Silent for 40 s; its longest silence here was 22 s. It may be stuck.",
    "circling": "Going in circles: the same 24 words, 5 times.",
    "resolving": "Deep recursive thinking: plan a garden",
    "grappling": "Grappling with contradiction in: plan a garden",
}


def thinking(state=None, *, spoke=0.0, **known):
    """A stream that said something `spoke` seconds from now, and shows `state`."""
    shown = SHOWS[state] if state else {}
    return replace(stream(Stage.THINKING, **known), said_at=at(spoke), **shown)


def reading(done=4096, total=12_288, **known):
    return stream(id_="reader", done=done, total=total, **known)


def fleet(*streams, placed=SHARED, king=None, soldier=None, tasks=(), now=0.0):
    nodes = (node("king", **(king or {})), node("soldier1", **(soldier or {})))
    watch = watching(snapshot(nodes, [placed], tasks))
    return presence(watch, streams=streams, now=at(now))


def facts(seen, name="king"):
    return seen.node(name).load.evidence


# What a stream shows, its machines say


@pytest.mark.parametrize("state", SHOWS)
def test_what_a_stream_shows_is_said_by_every_machine_of_the_instance(state):
    seen = fleet(thinking(state))
    assert states(seen)["king"] == states(seen)["soldier1"] == state
    assert said(seen, "king") == said(seen, "soldier1") == SENTENCES[state]


@pytest.mark.parametrize("state", SHOWS)
def test_a_machine_without_a_part_in_it_says_nothing_of_it(state):
    seen = fleet(thinking(state), placed=ON_KING)
    assert states(seen) == states(fleet()) | {"king": state}


@pytest.mark.parametrize("state", SHOWS)
def test_the_evidence_is_what_the_stream_was_judged_by(state):
    seen = fleet(thinking(state), king={"gpu_usage": 0.2})
    assert facts(seen)[: len(SHOWS[state]["evidence"])] == SHOWS[state]["evidence"]
    assert evidence(seen, "king")["requests_in_hand"] == 1
    assert evidence(seen, "king")["gpu_usage"] == 0.2


def test_what_programs_ask_for_is_flagged_too():
    load = fleet(thinking("grappling")).node("king").load
    assert (load.contradiction_detected, load.is_recursive) == (True, False)
    load = fleet(thinking("resolving")).node("king").load
    assert (load.contradiction_detected, load.is_recursive) == (False, True)


@pytest.mark.parametrize("state", SHOWS)
def test_it_is_over_as_soon_as_the_stream_shows_it_no_more(state):
    assert states(fleet(thinking()))["king"] == "processing"
    assert states(fleet())["king"] == "idle"


# Their order


@pytest.mark.parametrize(
    ("wins", "loses"),
    [("silent", "circling"), ("circling", "resolving"), ("resolving", "grappling")],
)
def test_of_two_the_one_that_needs_its_owner_more_is_said(wins, loses):
    both = SHOWS[loses] | SHOWS[wins]
    assert states(fleet(replace(thinking(), **both)))["king"] == wins


def test_of_two_streams_the_one_that_needs_its_owner_more_is_spoken_of():
    doubts = thinking("grappling"), thinking("circling", id_="b")
    assert states(fleet(*doubts))["king"] == states(fleet(*doubts[::-1]))["king"] == "circling"


@pytest.mark.parametrize("state", ["circling", "resolving", "grappling"])
def test_doubt_goes_before_a_prompt_that_is_read_meanwhile(state):
    assert states(fleet(thinking(state, spoke=-30), reading()))["king"] == state


@pytest.mark.parametrize("state", SHOWS)
def test_a_machine_that_went_quiet_is_what_the_others_speak_of(state):
    seen = fleet(thinking(state), soldier={"heard": -6})
    assert said(seen, "king") == "Held up: soldier1, which holds layers 48–94, has gone quiet."
    assert states(seen)["soldier1"] == "quiet"


# Thinking or stuck


def test_a_silence_that_was_held_against_nothing_learned_does_not_claim_a_longest():
    known = (Evidence("gap_ms", 130_000, source="stream"),)
    seen = fleet(replace(thinking("silent"), evidence=known))
    assert said(seen, "king") == "Silent for 2 min. It may be stuck."


def test_a_silence_without_figures_is_said_plainly():
    assert said(fleet(replace(thinking("silent"), evidence=())), "king") == (
        "Silent. It may be stuck."
    )


def test_a_machine_that_still_works_hard_is_not_called_stuck():
    seen = fleet(thinking("silent"), king={"gpu_usage": 0.94})
    assert states(seen)["king"] == "silent"
    assert said(seen, "king") == (
        "Silent for 40 s; its longest silence here was 22 s. It still works hard (GPU 94 %)."
    )
    shown = {"gap_ms": 40_120, "gpu_usage": 0.94, "runner_phase": "running"}
    assert evidence(seen, "king").items() >= shown.items()


def test_who_waits_for_one_that_works_hard_says_who_that_is():
    seen = fleet(thinking("silent"), king={"gpu_usage": 0.01}, soldier={"gpu_usage": 0.94})
    assert said(seen, "king").endswith(" soldier1 still works hard (GPU 94 %).")
    assert said(seen, "soldier1").endswith(" It still works hard (GPU 94 %).")
    assert evidence(seen, "king")["hard_at_work"] == "soldier1"
    assert evidence(seen, "king")["its_gpu_usage"] == 0.94
    assert evidence(seen, "king")["gpu_usage"] == 0.01


@pytest.mark.parametrize("gpu_usage", [None, 0.0, 0.5])
def test_an_idle_or_unknown_gpu_is_no_excuse(gpu_usage):
    seen = fleet(thinking("silent"), king={"gpu_usage": gpu_usage, "power_w": 12.0})
    assert said(seen, "king") == SENTENCES["silent"]
    assert evidence(seen, "king")["power_w"] == 12.0


def test_a_busy_gpu_is_no_excuse_for_a_runner_that_does_not_run():
    ready = instance(shard("king", READY))
    seen = fleet(thinking("silent"), placed=ready, king={"gpu_usage": 0.94})
    assert said(seen, "king") == SENTENCES["silent"]


# Held up by somebody else's prompt


def test_a_stream_that_waits_for_another_prompt_to_be_read_says_so():
    seen = fleet(thinking(spoke=-3), reading())
    assert states(seen)["king"] == states(seen)["soldier1"] == "processing"
    assert said(seen, "king") == "Waiting while another 12,288-token prompt is read."
    assert facts(seen)[0] == Evidence("prompt_tokens_read", 4096, 12_288, "stream")


def test_a_pause_between_two_words_is_not_worth_a_sentence():
    seen = fleet(thinking(spoke=-1.9), reading())
    assert said(seen, "king") == "Working hard: plan a garden, and 1 more"


def test_while_one_still_speaks_not_everything_waits():
    seen = fleet(thinking(spoke=-9), thinking(spoke=0, id_="b"), reading())
    assert said(seen, "king") == "Working hard: plan a garden, and 2 more"


def test_reading_explains_a_silence():
    assert said(fleet(thinking("silent", spoke=-40), reading()), "king") == (
        "Waiting while another 12,288-token prompt is read."
    )


def test_reading_that_is_silent_itself_explains_nothing():
    stuck = replace(reading(), **SHOWS["silent"])
    assert states(fleet(thinking("silent", spoke=-40), stuck))["king"] == "silent"
    assert states(fleet(thinking(spoke=-40), stuck))["king"] == "silent"


def test_reading_for_another_model_explains_nothing():
    other = instance(shard("king", RUNNING), model="org/Llama", id_="other")
    nodes = (node("king"), node("soldier1"))
    watch = watching(snapshot(nodes, [SHARED, other]))
    streams = [thinking("silent", spoke=-40), reading(model="org/Llama")]
    assert states(presence(watch, streams=streams))["king"] == "silent"


def test_a_prompt_that_waits_for_another_to_be_read_is_not_silent():
    """exo reads one after the other: of the second nothing is heard meanwhile."""
    unheard = replace(stream(), stage_since=at(-40), **SHOWS["silent"])
    assert said(fleet(unheard, reading()), "king") == (
        "Reading your prompt: 33 % of 12,288 tokens."
    )


def test_a_request_that_waits_for_one_of_eight_places_is_not_silent():
    unheard = replace(stream(), stage_since=at(-40), **SHOWS["silent"])
    answering = [thinking(id_=str(number)) for number in range(8)]
    assert states(fleet(unheard, *answering))["king"] == "processing"
    gone = [thinking("silent", id_=str(number)) for number in range(8)]
    assert states(fleet(unheard, *gone))["king"] == "silent"


def test_a_runner_that_answers_others_is_slow_and_not_stuck():
    begun = replace(reading(), stage_since=at(-40), **SHOWS["silent"])
    assert states(fleet(begun, thinking(spoke=-9)))["king"] == "processing"
    assert states(fleet(begun, thinking(spoke=-11)))["king"] == "silent"
    assert states(fleet(begun, thinking("silent")))["king"] == "silent"


# Discretion


@pytest.mark.parametrize("state", [*SHOWS, None])
def test_no_guest_reads_what_was_asked(state):
    guests = discreet(fleet(thinking(state), tasks=[task(command_id="c")]))
    assert "garden" not in repr(guests)
    if state in ("resolving", "grappling"):
        assert said(guests, "king") == SENTENCES[state].replace("plan a garden", "a request")


@pytest.mark.parametrize("state", ["resolving", "grappling"])
def test_a_stream_of_which_nothing_is_known_is_a_request(state):
    seen = fleet(thinking(state, preview=None))
    assert said(seen, "king").endswith(": a request")
