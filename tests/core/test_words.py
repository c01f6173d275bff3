"""The sentences, to the letter."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core import words

from .sights import NOW, at


@pytest.mark.parametrize(
    ("model_id", "short"),
    [
        ("mlx-community/Llama-3.3-70B-Instruct-4bit", "Llama-3.3-70B"),
        ("mlx-community/Qwen3-235B-A22B-Instruct-4bit", "Qwen3-235B"),
        ("mlx-community/DeepSeek-V3.1-4bit", "DeepSeek-V3.1"),
        ("exo-live/Slow-Llama", "Slow-Llama"),
        ("qwen2.5-7b", "qwen2.5-7b"),
        ("4bit", "4bit"),
        ("", "a model"),
        (None, "a model"),
    ],
)
def test_a_models_short_name_drops_the_packaging(model_id, short):
    assert words.short_model(model_id) == short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plan a garden", "plan a garden"),
        ("  plan\n\ta garden  ", "plan a garden"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" + " " * 9_000 + "y", "x…"),
        ("", None),
        (" \n ", None),
    ],
)
def test_a_preview_ends_with_an_ellipsis_where_the_prompt_was_longer(text, shown):
    assert words.preview(text) == shown


@given(st.text(max_size=200))
def test_a_preview_is_one_line_of_at_most_sixty_characters(text):
    shown = words.preview(text)
    assert shown is None or (0 < len(shown) <= 60 and len(shown.splitlines()) == 1)


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [
        (-3, "0 s"),
        (0.9, "0 s"),
        (12.7, "12 s"),
        (119, "119 s"),
        (120, "2 min"),
        (720, "12 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (7500, "2 h 5 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_is_as_exact_as_a_person_needs(seconds, spoken):
    assert words.duration(seconds) == spoken


def test_a_time_has_its_date_only_when_that_is_not_today():
    assert words.clock(at(-60), NOW) == "14:31:07"
    assert words.clock(at(-86_400), NOW) == "2026-11-22 14:32:07"


def test_a_time_is_that_of_the_readers_wall_clock():
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    assert words.clock(NOW, berlin) == "15:32:07"


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [(23, 32, "layers 24–32"), (0, 1, "layer 1"), (4, 4, None), (None, 4, None), (4, None, None)],
)
def test_layers_are_counted_from_one(start, end, part):
    assert words.layers(start, end) == part


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ([], ""),
        (["king"], "king"),
        (["king", "soldier1"], "king and soldier1"),
        (["king", "soldier1", "soldier2"], "king, soldier1 and soldier2"),
    ],
)
def test_names_are_listed_as_people_do(names, listed):
    assert words.listing(names) == listed


def test_the_sentences_are_those_of_the_design():
    assert words.offline(NOW, NOW) == "Offline. Last heard 14:32:07."
    assert words.offline(None, NOW) == "Not here yet."
    assert words.quiet(12) == "Gone quiet 12 s ago. exo still counts it in."
    assert (
        words.stumbled("Qwen3-235B", "loading", "out of memory")
        == "Stumbled loading Qwen3-235B: out of memory."
    )
    assert (
        words.learning("DeepSeek V3.1", 41.2, 720)
        == "Learning DeepSeek V3.1: 41 %, about 12 min left."
    )
    assert (
        words.waking("Qwen3-235B", words.waking_layers(34, 94))
        == "Waking up Qwen3-235B: 34 of 94 layers."
    )
    assert words.processing("plan a garden for…", 0, hard=False) == "Processing: plan a garden for…"
    assert words.processing("plan a garden", 0, hard=True) == "Working hard: plan a garden"
    assert (
        words.held_up("soldier3", "layers 24–32", "has gone quiet")
        == "Held up: soldier3, which holds layers 24–32, has gone quiet."
    )
    assert words.IDLE_EMPTY == "Breathing slow... (idle)"
    assert words.IDLE_READY == "Present and waiting."


def test_a_failure_that_nobody_explained_says_so():
    assert words.stumbled("Qwen3", "running", None) == (
        "Stumbled running Qwen3: exo did not say why."
    )


def test_a_failure_that_nobody_saw_does_not_say_what_was_being_done():
    assert words.stumbled("Qwen3", None, "out of memory") == "Stumbled over Qwen3: out of memory."


def test_learning_says_what_is_known_and_no_more():
    assert words.learning("Qwen3", None, 720) == "Learning Qwen3."
    assert words.learning("Qwen3", 0.0, None) == "Learning Qwen3: 0 %."
    assert words.learning("Qwen3", 99.9, 3) == "Learning Qwen3: 99 %, about 3 s left."


def test_several_requests_are_counted():
    assert words.processing("plan a garden", 2, hard=False) == (
        "Processing: plan a garden, and 2 more"
    )
    assert words.processing(None, 0, hard=False) == "Processing: a request."


def test_a_machine_that_speaks_for_the_fleet_says_its_name_once():
    assert words.named("king", "Gone quiet.") == "king: Gone quiet."
    held_up = words.held_up("soldier3", None, "is gone")
    assert words.named("king", held_up) == "Held up: soldier3 is gone."


def test_what_is_wrong_with_a_cluster_has_its_beginning():
    assert words.cluster_trouble("exo sent a web page.", None, at(-60), NOW) == (
        "exo sent a web page, since 14:31:07."
    )
    assert words.cluster_trouble(None, "http://king:52415", at(-60), NOW) == (
        "exo at http://king:52415 does not answer, since 14:31:07."
    )
    assert words.cluster_trouble("exo refused; is it running?", None, at(-60), NOW) == (
        "exo refused; is it running? Since 14:31:07."
    )


def test_an_election_says_what_it_has_cost():
    assert words.cluster_elected([]) == "exo has just started over with a new master."
    assert words.cluster_elected(["Qwen3-235B", "Llama-3.3-70B"]) == (
        "exo has just started over with a new master: "
        "everything that was loaded is gone (Qwen3-235B and Llama-3.3-70B)."
    )
