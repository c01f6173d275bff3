"""What one machine is doing: every rule, every condition of it, and their order."""

from dataclasses import replace

import pytest

from fleetweb.core.presence import CognitiveState, Condition
from fleetweb.core.snapshot import DownloadPhase, RunnerPhase, TaskStatus
from fleetweb.core.streams import Stage

from .sights import (
    DOOR,
    GIB,
    NOW,
    at,
    download,
    evidence,
    instance,
    node,
    pair,
    presence,
    said,
    shard,
    snapshot,
    states,
    stream,
    task,
    watching,
)

READY, RUNNING, FAILED = RunnerPhase.READY, RunnerPhase.RUNNING, RunnerPhase.FAILED
LOADING = RunnerPhase.LOADING
SHARED = instance(shard("king", RUNNING), shard("soldier1", RUNNING))
ON_KING = instance(shard("king", RUNNING))


def seen(*nodes, instances=(), tasks=(), downloads=(), streams=()):
    """The fleet after one answer."""
    return presence(watching(snapshot(nodes, instances, tasks, downloads)), streams=streams)


def both(*instances, **what):
    return seen(node("king"), node("soldier1"), instances=instances, **what)


def load_of(fleet, name="king"):
    return fleet.node(name).load


# Idle


def test_a_machine_with_nothing_to_do_breathes_slowly():
    assert said(both(), "king") == "Breathing slow... (idle)"
    assert states(both())["king"] == "idle"


def test_a_machine_with_a_model_that_is_ready_waits_for_its_owner():
    fleet = both(instance(shard("king"), shard("soldier1")))
    assert said(fleet, "soldier1") == "Present and waiting."
    assert evidence(fleet, "soldier1")["models_ready"] == 1


def test_a_model_that_lost_a_machine_is_not_ready():
    placed = instance(shard("king"), shard("soldier1"))
    fleet = seen(node("king"), node("soldier1", heard=-9), instances=[placed])
    assert said(fleet, "king") == "Breathing slow... (idle)"


# Quiet


@pytest.mark.parametrize(("behind_s", "state"), [(0, "idle"), (5, "idle"), (5.1, "quiet")])
def test_a_machine_is_quiet_when_more_than_five_seconds_behind_the_others(behind_s, state):
    fleet = seen(node("king"), node("soldier1", heard=-behind_s))
    assert states(fleet)["soldier1"] == state
    assert states(fleet)["king"] == "idle"


def test_a_quiet_machine_says_for_how_long():
    fleet = seen(node("king"), node("soldier1", heard=-12))
    assert said(fleet, "soldier1") == "Gone quiet 12 s ago. exo still counts it in."
    assert evidence(fleet, "soldier1") == {"last_heard_s": 12.0}
    assert load_of(fleet, "soldier1").evidence[0].baseline == 5.0


def test_its_silence_goes_on_between_two_answers():
    watch = watching(snapshot([node("king"), node("soldier1", heard=-12)]))
    assert said(presence(watch, now=at(2)), "soldier1").startswith("Gone quiet 14 s ago.")


def test_waiting_for_the_next_answer_makes_nobody_quiet():
    assert states(presence(watching(pair()), now=at(8)))["king"] == "idle"


def test_everybody_is_quiet_in_a_view_that_stands_still():
    fleet = presence(watching(*[pair(SHARED, tasks=[task()])] * 9), now=at(8))
    assert states(fleet)["king"] == states(fleet)["soldier1"] == "quiet"
    assert said(fleet, "king") == "Gone quiet 8 s ago. exo's view of the fleet stands still."
    assert evidence(fleet, "king") == {"last_heard_s": 8.0, "event_index_still": 100}


def test_everybody_is_quiet_in_a_still_view_that_tells_no_times():
    still = snapshot([node("king", heard=None)])
    fleet = presence(watching(*[still] * 8), now=at(7))
    assert said(fleet, "king") == "Gone quiet 7 s ago. exo's view of the fleet stands still."


def test_a_machine_of_which_exo_tells_no_time_is_not_quiet_for_it():
    fleet = seen(node("king"), node("soldier1", heard=None))
    assert states(fleet)["soldier1"] == "idle"
    assert "last_heard_s" not in evidence(fleet, "soldier1")


# Stumbled


@pytest.mark.parametrize(
    ("before", "doing"),
    [
        (RunnerPhase.ABSENT, "loading"),
        (RunnerPhase.CONNECTING, "loading"),
        (LOADING, "loading"),
        (RunnerPhase.WARMING_UP, "loading"),
        (READY, "running"),
        (RUNNING, "running"),
    ],
)
def test_a_failed_runner_says_what_it_was_doing(before, doing):
    fell = instance(shard("king", FAILED, failure="out of memory"))
    fleet = presence(watching(pair(instance(shard("king", before))), pair(fell, heard=1)))
    assert said(fleet, "king") == f"Stumbled {doing} Qwen3-235B: out of memory."
    assert evidence(fleet, "king")["failed_while"] == doing
    assert evidence(fleet, "king")["reason"] == "out of memory"


def test_a_failure_that_nobody_saw_is_told_without_what_led_to_it():
    fleet = both(instance(shard("king", FAILED, failure="out of memory")))
    assert said(fleet, "king") == "Stumbled over Qwen3-235B: out of memory."
    assert evidence(fleet, "king")["failed_while"] is None


def test_a_machine_gets_up_again_when_its_runner_is_replaced():
    phases = (RUNNING, FAILED, LOADING)
    answers = [pair(instance(shard("king", p)), heard=t) for t, p in enumerate(phases)]
    assert states(presence(watching(*answers)))["king"] == "waking"


# Held up


def test_the_others_are_held_up_when_one_goes_quiet():
    nodes = [node("king"), node("soldier3", heard=-6)]
    three = instance(shard("king", RUNNING), shard("soldier3", RUNNING), layers=94)
    fleet = seen(*nodes, instances=[three], tasks=[task("plan a garden")])
    assert states(fleet)["king"] == "silent"
    assert said(fleet, "king") == ("Held up: soldier3, which holds layers 48–94, has gone quiet.")
    assert load_of(fleet).current_task == "plan a garden"
    assert evidence(fleet, "king")["waiting_for"] == "soldier3"
    assert states(fleet)["soldier3"] == "quiet"


def test_the_others_are_held_up_when_one_stumbles():
    fell = instance(shard("king", RUNNING), shard("soldier1", FAILED))
    fleet = both(fell, tasks=[task()])
    assert said(fleet, "king") == "Held up: soldier1, which holds layers 48–94, has stumbled."
    assert states(fleet)["soldier1"] == "stumbled"


def test_the_others_are_held_up_when_one_is_gone():
    before = presence(watching(pair(SHARED, tasks=[task()])))
    gone = snapshot([node("king", heard=1)], [SHARED], [task()], index=101)
    fleet = presence(watching(pair(SHARED), gone), previous=before, now=at(1))
    assert said(fleet, "king") == "Held up: soldier1, which holds layers 48–94, is gone."
    assert states(fleet)["soldier1"] == "offline"


def test_one_that_nobody_ever_knew_is_named_as_well_as_can_be():
    fleet = seen(node("king"), instances=[SHARED], tasks=[task()])
    assert said(fleet, "king").startswith("Held up: a machine, which holds")


def test_a_model_half_way_in_is_held_up_too_when_the_rest_of_it_is_gone():
    half = instance(shard("king"), shard("soldier1", LOADING))
    fleet = seen(node("king"), instances=[half], tasks=[task()])
    assert states(fleet)["king"] == "silent"


def test_nobody_is_held_up_without_work_in_hand():
    fleet = seen(node("king"), node("soldier1", heard=-9), instances=[SHARED])
    assert states(fleet)["king"] == "idle"


def test_a_failure_of_one_model_holds_up_no_other():
    fell = instance(shard("soldier1", FAILED), id_="fell")
    fleet = both(fell, SHARED, tasks=[task()])
    assert states(fleet) | {"king": "processing", "soldier1": "stumbled"} == states(fleet)


# Processing


@pytest.mark.parametrize("status", TaskStatus)
def test_a_request_in_hand_is_work_on_every_machine_of_its_model(status):
    fleet = both(SHARED, tasks=[task("plan a garden for…", status=status)])
    assert states(fleet)["king"] == states(fleet)["soldier1"] == "processing"
    assert said(fleet, "soldier1") == "Processing: plan a garden for…"
    assert load_of(fleet).current_task == "plan a garden for…"


def test_pending_requests_on_a_ready_model_are_work():
    ready = instance(shard("king"))
    fleet = both(ready, tasks=[task(id_=n, status=TaskStatus.PENDING) for n in "abc"])
    assert states(fleet)["king"] == "processing"
    assert said(fleet, "king").endswith(": plan a garden, and 2 more")
    assert evidence(fleet, "king")["requests_in_hand"] == 3


def test_machines_without_the_model_do_not_work():
    assert states(both(ON_KING, tasks=[task()]))["soldier1"] == "idle"


def test_a_machine_that_holds_a_part_says_which():
    fleet = both(SHARED, tasks=[task()])
    assert evidence(fleet, "king")["holds"] == "layers 1–47"
    assert evidence(fleet, "soldier1")["holds"] == "layers 48–94"
    assert "holds" not in evidence(both(ON_KING, tasks=[task()]), "king")


def test_a_request_whose_words_are_unknown_is_a_request():
    assert said(both(ON_KING, tasks=[task(None)]), "king") == "Processing: a request."


def test_three_requests_at_full_speed_are_hard_work():
    hot = node("king", gpu_usage=1.0)
    fleet = seen(hot, instances=[ON_KING], tasks=[task(id_=n) for n in "abc"])
    assert said(fleet, "king") == "Working hard: plan a garden, and 2 more"
    assert load_of(fleet).intensity > 0.8


def test_work_on_two_models_is_counted_together():
    other = instance(shard("king", RUNNING), id_="other", model="org/Llama")
    fleet = both(ON_KING, other, tasks=[task(), task(id_="b", on="other")])
    assert evidence(fleet, "king")["requests_in_hand"] == 2


@pytest.mark.parametrize("phase", [RunnerPhase.SHUTTING_DOWN, RunnerPhase.SHUTDOWN])
def test_a_runner_that_is_being_taken_down_works_on_nothing(phase):
    assert states(both(instance(shard("king", phase)), tasks=[task()]))["king"] == "idle"


def test_a_runner_in_a_phase_of_a_newer_exo_may_well_work():
    unknown = instance(shard("king", RunnerPhase.UNKNOWN))
    assert states(both(unknown, tasks=[task()]))["king"] == "processing"


# Streams that pass through the gateway


def test_a_prompt_that_is_being_read_says_how_far():
    heard = stream(done=7742, total=12288)
    fleet = both(SHARED, tasks=[task()], streams=[heard])
    assert states(fleet)["king"] == states(fleet)["soldier1"] == "reading"
    assert said(fleet, "king") == "Reading your prompt: 63 % of 12,288 tokens."
    assert load_of(fleet).current_task == "plan a garden"
    assert load_of(fleet).estimated_completion_pct == 63.0
    assert evidence(fleet, "king")["prompt_tokens_read"] == 7742


def test_reading_says_no_more_than_exo_has_told():
    fleet = both(SHARED, tasks=[task()], streams=[stream()])
    assert said(fleet, "king") == "Reading your prompt."
    assert load_of(fleet).estimated_completion_pct is None


def test_of_several_prompts_the_longest_is_spoken_of():
    heard = [stream(done=1, total=2), stream(id_="long", done=4096, total=8192)]
    assert said(both(SHARED, streams=heard), "king") == (
        "Reading your prompt: 50 % of 8,192 tokens."
    )


def test_a_request_that_exo_has_not_shown_yet_is_work_already():
    assert states(both(SHARED, streams=[stream()]))["king"] == "reading"
    answering = both(SHARED, streams=[stream(Stage.ANSWERING)])
    assert said(answering, "king") == "Processing: plan a garden"


def test_one_request_is_not_counted_twice():
    heard = [stream(Stage.ANSWERING, command_id="c")]
    fleet = both(SHARED, tasks=[task(command_id="c")], streams=heard)
    assert evidence(fleet, "king")["requests_in_hand"] == 1


def test_it_is_not_reading_while_somebody_else_is_answered():
    others = [task(), task(id_="another")]
    assert states(both(SHARED, tasks=others, streams=[stream()]))["king"] == "processing"
    heard = [stream(), stream(Stage.THINKING, id_="b")]
    assert states(both(SHARED, streams=heard))["king"] == "processing"


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.LOADING])
def test_a_request_that_was_not_sent_yet_is_nobodys_work(stage):
    assert states(both(SHARED, streams=[stream(stage)]))["king"] == "idle"


@pytest.mark.parametrize("elsewhere", [{"model": "org/Llama"}, {"cluster": "attic"}])
def test_a_request_for_another_model_or_cluster_is_no_work_here(elsewhere):
    assert states(both(SHARED, streams=[stream(**elsewhere)]))["king"] == "idle"


def test_of_two_of_a_model_the_one_that_exo_names_works():
    on_king = instance(shard("king"), id_="north")
    on_soldier = instance(shard("soldier1"), id_="south")
    asked = [task(on="south", command_id="c")]
    fleet = both(on_king, on_soldier, tasks=asked, streams=[stream(command_id="c")])
    assert (states(fleet)["king"], states(fleet)["soldier1"]) == ("idle", "reading")


def test_of_two_of_a_model_none_is_said_to_work_while_nobody_knows_which():
    both_hold = instance(shard("king"), id_="north"), instance(shard("soldier1"), id_="south")
    fleet = both(*both_hold, streams=[stream()])
    assert (states(fleet)["king"], states(fleet)["soldier1"]) == ("idle", "idle")


def test_a_stream_is_held_up_when_a_machine_it_needs_goes_quiet():
    fleet = seen(node("king"), node("soldier1", heard=-6), instances=[SHARED], streams=[stream()])
    assert states(fleet)["king"] == "silent"


def test_a_request_to_a_loading_model_waits_for_it():
    loading = instance(shard("king", LOADING))
    assert states(both(loading, streams=[stream()]))["king"] == "waking"


# Learning


def test_a_machine_that_downloads_is_learning():
    fleet = both(downloads=[download("king")])
    assert said(fleet, "king") == "Learning DeepSeek-V3.1: 41 %, about 12 min left."
    assert load_of(fleet).estimated_completion_pct == 41.0
    assert evidence(fleet, "king")["downloaded_bytes"] == 41
    assert states(fleet)["soldier1"] == "idle"


def test_learning_does_not_flicker_while_exo_falls_silent_about_it():
    pending = download("king", DownloadPhase.PENDING)
    reports = [[download("king", done=40 + n // 2)] if n % 2 == 0 else [pending] for n in range(8)]
    for count in range(1, len(reports) + 1):
        answers = [
            snapshot([node("king", heard=t)], downloads=d, index=t)
            for t, d in enumerate(reports[:count])
        ]
        fleet = presence(watching(*answers), now=at(count - 1))
        assert states(fleet)["king"] == "learning"
        assert load_of(fleet).estimated_completion_pct == 40 + (count - 1) // 2


def test_learning_ends_with_the_last_byte():
    done = download("king", DownloadPhase.COMPLETED, 100)
    answers = [
        snapshot([node("king", heard=t)], downloads=[d], index=t)
        for t, d in enumerate([download("king"), done])
    ]
    assert states(presence(watching(*answers)))["king"] == "idle"


def test_the_largest_of_several_downloads_is_spoken_of():
    small = replace(download("king", model="org/Small"), total_bytes=7)
    fleet = both(downloads=[small, download("king")])
    assert "DeepSeek" in said(fleet, "king")
    assert len(fleet.node("king").downloads) == 2


def test_a_download_of_unknown_size_has_no_percent():
    unknown = replace(download("king"), total_bytes=None)
    fleet = both(downloads=[unknown])
    assert said(fleet, "king") == "Learning DeepSeek-V3.1."
    assert load_of(fleet).estimated_completion_pct is None


def test_a_failed_download_is_kept_in_sight_and_is_no_learning():
    fleet = both(downloads=[download("king", DownloadPhase.FAILED)])
    assert states(fleet)["king"] == "idle"
    assert [d.phase for d in fleet.node("king").downloads] == [DownloadPhase.FAILED]


# Waking


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        (RunnerPhase.ABSENT, "getting ready"),
        (RunnerPhase.IDLE, "getting ready"),
        (RunnerPhase.CONNECTING, "joining hands with soldier1"),
        (RunnerPhase.CONNECTED, "joining hands with soldier1"),
        (LOADING, "getting ready"),
        (RunnerPhase.LOADED, "all its layers are in"),
        (RunnerPhase.WARMING_UP, "warming up"),
        (READY, "ready here, waiting for soldier1"),
    ],
)
def test_every_step_of_waking_up_has_its_words(phase, step):
    waking = instance(shard("king", phase), shard("soldier1", LOADING))
    assert said(both(waking), "king") == f"Waking up Qwen3-235B: {step}."


def test_waking_counts_layers():
    fleet = both(instance(shard("king", LOADING, layers_loaded=34, total_layers=94)))
    assert said(fleet, "king") == "Waking up Qwen3-235B: 34 of 94 layers."
    assert load_of(fleet).estimated_completion_pct == 36.2
    assert load_of(fleet).evidence[1].baseline == 94


def test_a_machine_alone_joins_no_hands():
    alone = instance(shard("king", RunnerPhase.CONNECTING))
    assert said(both(alone), "king") == "Waking up Qwen3-235B: getting ready."


def test_a_ready_machine_waits_only_for_those_that_are_not():
    three = instance(shard("king"), shard("soldier1"), shard("soldier2", LOADING))
    fleet = seen(node("king"), node("soldier1"), node("soldier2"), instances=[three])
    assert said(fleet, "king") == "Waking up Qwen3-235B: ready here, waiting for soldier2."


def test_a_request_to_a_model_that_is_still_loading_is_not_work_yet():
    waking = instance(shard("king", LOADING, layers_loaded=3, total_layers=94))
    assert states(both(waking, tasks=[task()]))["king"] == "waking"


# Order, and what is unknown


def test_what_needs_the_owner_most_comes_first():
    """Each holds beside all that come after it; taking the first away lets the next one speak."""
    waking = instance(shard("king", LOADING), id_="waking")
    stuck = instance(shard("king", RUNNING), shard("soldier1", FAILED), id_="stuck")
    fell = instance(shard("king", FAILED), id_="fell")
    placed = [fell, stuck, ON_KING, waking]
    asked = [task(on="stuck", id_="b"), task()]
    loads = [download("king")]
    quiet = node("king", heard=-9), node("soldier1")
    told = [
        seen(*quiet, instances=placed, tasks=asked, downloads=loads),
        both(*placed, tasks=asked, downloads=loads),
        both(*placed[1:], tasks=asked, downloads=loads),
        both(*placed[2:], tasks=asked, downloads=loads),
        both(*placed[2:], downloads=loads),
        both(*placed[2:]),
        both(ON_KING),
    ]
    assert [states(fleet)["king"] for fleet in told] == [
        "quiet",
        "stumbled",
        "silent",
        "processing",
        "learning",
        "waking",
        "idle",
    ]


def test_unknown_vitals_are_left_out_and_known_ones_told():
    assert evidence(both(), "king") == {"models_ready": 0, "last_heard_s": 0.0}
    mac = node("king", gpu_usage=0.0, power_w=41.237, temperature_c=52.0)
    assert evidence(seen(mac), "king") == {
        "models_ready": 0,
        "last_heard_s": 0.0,
        "gpu_usage": 0.0,
        "power_w": 41.24,
        "temperature_c": 52.0,
    }


def test_a_machine_that_reports_no_gpu_works_no_less():
    tasks = [task()]
    plain = load_of(seen(node("king"), instances=[ON_KING], tasks=tasks)).intensity
    mac = load_of(seen(node("king", gpu_usage=0.0), instances=[ON_KING], tasks=tasks)).intensity
    assert plain == 0.6 > mac


def test_memory_alone_is_little_effort():
    full = node("king", memory_total_bytes=512 * GIB, memory_available_bytes=12 * GIB)
    assert 0 < load_of(seen(full)).intensity < 0.2


def test_nothing_is_said_of_machines_in_a_cluster_that_does_not_answer():
    watch = watching(pair(ON_KING, tasks=[task()]))
    lost = watch.missed("refused", Condition.UNREACHABLE, DOOR, at(6))
    fleet = presence(lost, previous=presence(watch), now=at(6))
    assert load_of(fleet).state is CognitiveState.OFFLINE
    assert said(fleet, "king") == "Offline. Last heard 14:32:07."
    assert (fleet.work, fleet.node("king").shares, fleet.node("king").exo) == ((), (), None)
    assert fleet.node("king").last_heard_at == NOW
