"""Which model a name means, and what is said when it means none or several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.naming import Alias, read_aliases, resolve, stand_in
from fleetweb.errors import ConfigError, NoCandidate

LLAMA = "mlx-community/Llama-3.3-70B-Instruct-4bit"
LLAMA_8BIT = "mlx-community/Llama-3.3-70B-Instruct-8bit"
QWEN = "mlx-community/Qwen3-235B-A22B-Instruct-2507-4bit"
KIMI = "moonshotai/Kimi-K2.6"
KIMI_TWIN = "mlx-community/Kimi-K2.6"
AVAILABLE = (LLAMA, LLAMA_8BIT, QWEN, KIMI)
PROVIDERS = ("exo", "ollama", "gemini", "claude")

ALIASES = read_aliases(
    {
        "llama-3.3-70b": {
            "exo": "Llama-3.3-70B-Instruct-4bit",
            "ollama": "llama3.3:70b",
            "claude": "claude-sonnet",
        },
        "Elsewhere": {"gemini": "gemini-flash"},
    },
    PROVIDERS,
)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        (LLAMA, LLAMA),
        (LLAMA.upper(), LLAMA),
        ("llama-3.3-70b-instruct-4BIT", LLAMA),
        (" Kimi-K2.6 ", KIMI),
        ("Llama-3.3-70B", LLAMA),
    ],
)
def test_a_model_answers_to_its_id_its_last_part_and_its_alias(name, model):
    assert resolve(name, AVAILABLE, ALIASES) == model


def test_a_whole_id_wins_over_an_alias_and_an_alias_over_a_last_part():
    aliases = (Alias(KIMI, {"exo": QWEN}), Alias("kimi-k2.6", {"exo": LLAMA}))
    assert resolve(KIMI, AVAILABLE, aliases) == KIMI
    assert resolve("Kimi-K2.6", AVAILABLE, aliases) == LLAMA


def test_the_spelling_decides_between_ids_that_differ_in_case_alone():
    assert resolve("a/M", ("a/m", "a/M")) == "a/M"
    with pytest.raises(NoCandidate, match="a/M or a/m"):
        resolve("A/M", ("a/m", "a/M"))


def test_of_several_with_one_last_part_the_loaded_one_is_meant():
    both = (KIMI, KIMI_TWIN)
    assert resolve("kimi-k2.6", both, in_hand={KIMI_TWIN: 3}) == KIMI_TWIN
    with pytest.raises(NoCandidate, match="Ask for one of them by its whole id"):
        resolve("kimi-k2.6", both)
    with pytest.raises(NoCandidate, match="could be"):
        resolve("kimi-k2.6", both, in_hand={KIMI: 0, KIMI_TWIN: 0})


def test_auto_is_the_loaded_model_with_the_least_in_hand():
    assert resolve("auto", AVAILABLE, in_hand={LLAMA: 2, QWEN: 0}) == QWEN
    assert resolve("AUTO", AVAILABLE, in_hand={LLAMA: 2}) == LLAMA


def test_auto_says_so_when_nothing_is_loaded():
    with pytest.raises(NoCandidate, match="any model that is loaded, and none is"):
        resolve("auto", AVAILABLE)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lama-3.3-70b", "llama-3.3-70b"),
        ("kimi-k2", "Kimi-K2.6"),
        ("QWEN", "Qwen3-235B-A22B-Instruct-2507-4bit"),
        ("qwen3-235b", "Qwen3-235B-A22B-Instruct-2507-4bit"),
    ],
)
def test_an_unknown_name_is_answered_with_what_may_have_been_meant(name, meant):
    with pytest.raises(NoCandidate, match=rf"Did you mean .*{meant}"):
        resolve(name, AVAILABLE, ALIASES)


def test_a_name_like_nothing_here_points_to_the_list():
    with pytest.raises(NoCandidate, match="GET /v1/models"):
        resolve("zzz", AVAILABLE)
    with pytest.raises(NoCandidate, match="exo has listed no models"):
        resolve("zzz", ())


def test_an_alias_without_exo_says_where_it_leads():
    with pytest.raises(NoCandidate, match="names nothing for exo, only for gemini"):
        resolve("elsewhere", AVAILABLE, ALIASES)


def test_an_alias_of_a_model_that_is_gone_says_what_it_stands_for():
    with pytest.raises(NoCandidate, match=r"stands for Llama-3\.3-70B-Instruct-4bit"):
        resolve("llama-3.3-70b", (QWEN,), ALIASES)


def test_a_long_or_odd_name_is_said_back_short_and_harmless():
    with pytest.raises(NoCandidate) as unknown:
        resolve("\x1b[31m" + "x" * 5000, AVAILABLE)
    assert len(str(unknown.value)) < 300
    assert "\x1b" not in str(unknown.value)


@pytest.mark.parametrize("name", ["llama-3.3-70b", LLAMA, "Llama-3.3-70B-Instruct-4bit"])
def test_a_stand_in_is_found_by_the_alias_and_by_what_it_stands_for(name):
    assert stand_in(name, "ollama", ALIASES) == "llama3.3:70b"


def test_without_a_stand_in_the_provider_uses_its_own():
    assert stand_in("llama-3.3-70b", "gemini", ALIASES) is None
    assert stand_in(QWEN, "ollama", ALIASES) is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"m": {}}, "wants some of claude, exo, gemini and ollama"),
        ({"m": "Llama"}, "wants some of"),
        ({"m": {"openai": "gpt"}}, "has `openai`"),
        ({"m": {"exo": 3}}, "`exo` wants a model's name"),
        ({"m": {"exo": " "}}, "`exo` wants a model's name"),
        ({"auto": {"exo": LLAMA}}, "rename it"),
        ({"m": {"exo": LLAMA}, "M": {"exo": QWEN}}, "twice but for case"),
    ],
)
def test_a_malformed_alias_is_named_with_what_it_wants(table, said):
    with pytest.raises(ConfigError, match=said):
        read_aliases(table, PROVIDERS)


@given(st.text(max_size=120), st.lists(st.sampled_from([*AVAILABLE, KIMI_TWIN]), max_size=5))
def test_any_name_means_something_available_or_nothing(name, available):
    try:
        model = resolve(name, available, ALIASES)
    except NoCandidate:
        model = None
    assert model is None or model in available
