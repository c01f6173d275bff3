"""Where a request goes, why, and what must hold whatever the fleet looks like."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.balancing import (
    BalanceState,
    Candidate,
    LoadBalanceStrategy,
    RouteResult,
    RoutingDecision,
    choose,
    fell_back,
    rank,
)
from fleetweb.core.breaker import BreakerState
from fleetweb.core.candidates import MIN_SAMPLES, UNLEARNED_LOAD_MS
from fleetweb.core.strategies import STRATEGIES
from fleetweb.errors import NoCandidate

MODEL = "mlx-community/Llama-3.3-70B-Instruct-4bit"
KING = Candidate(
    cluster="home",
    door="http://king.local:52415",
    node="king",
    loaded=True,
    holds_shard=True,
    fits=True,
    ttft_ms=800,
    ttft_samples=20,
)
SOLDIER1 = replace(KING, cluster="attic", door="http://soldier1.local:52415", node="soldier1")
EMPTY = replace(SOLDIER1, loaded=False, holds_shard=False)
HELD_UP = replace(EMPTY, holds_shard=True, held_up="soldier3 is gone")
FRESH = BalanceState()

WEIGHING = [one for one in LoadBalanceStrategy if one is not LoadBalanceStrategy.ROUND_ROBIN]
every_strategy = pytest.mark.parametrize("strategy", LoadBalanceStrategy)


def route(strategy: LoadBalanceStrategy, *candidates: Candidate) -> RouteResult:
    result, _ = choose(strategy, candidates, FRESH, model=MODEL)
    return result


def burst(strategy: LoadBalanceStrategy, count: int, *candidates: Candidate) -> Counter[str]:
    """How `count` requests that come at once, before anything is over, are spread."""
    state, went = FRESH, Counter[str]()
    for _ in range(count):
        result, state = choose(strategy, candidates, state, model=MODEL)
        went[str(result.node)] += 1
    return went


def one_by_one(strategy: LoadBalanceStrategy, count: int, *candidates: Candidate) -> Counter[str]:
    """How `count` requests are spread of which each is over before the next comes."""
    state, went = FRESH, Counter[str]()
    for _ in range(count):
        result, state = choose(strategy, candidates, state, model=MODEL)
        state = state.released((str(result.cluster), result.node_endpoint))
        went[str(result.node)] += 1
    return went


def test_every_strategy_has_its_entry():
    assert set(STRATEGIES) == set(LoadBalanceStrategy)


# What each strategy prefers


def test_affinity_prefers_a_loaded_model_over_a_faster_idle_place():
    slow = replace(KING, ttft_ms=60_000, in_hand=9)
    result = route(LoadBalanceStrategy.MODEL_AFFINITY, replace(EMPTY, ttft_ms=10), slow)
    assert (result.node, result.decision) == ("king", RoutingDecision.MODEL_LOADED)
    assert result.model_loaded


def test_affinity_prefers_a_model_that_is_loading_over_loading_it_elsewhere():
    loading = replace(KING, loaded=False, loading=True, load_ms=90_000)
    result = route(LoadBalanceStrategy.MODEL_AFFINITY, EMPTY, loading)
    assert result.node == "king"
    assert "is being loaded there" in result.reason


def test_affinity_then_prefers_the_lower_latency():
    result = route(LoadBalanceStrategy.MODEL_AFFINITY, replace(SOLDIER1, ttft_ms=2200), KING)
    assert result.reason == (
        "model_loaded: king holds Llama-3.3-70B and nothing is waiting there; "
        "soldier1 was 1.4 s slower at this prompt size."
    )


def test_affinity_then_prefers_the_lower_load():
    result = route(LoadBalanceStrategy.MODEL_AFFINITY, replace(KING, in_hand=2), SOLDIER1)
    assert result.node == "soldier1"
    assert result.reason.endswith("king has 2 more in hand.")


def test_latency_aware_sends_where_the_first_token_comes_soonest():
    result = route(LoadBalanceStrategy.LATENCY_AWARE, KING, replace(SOLDIER1, ttft_ms=500))
    assert (result.node, result.decision) == ("soldier1", RoutingDecision.LOWEST_LATENCY)
    assert result.estimated_latency_ms == 500


@pytest.mark.parametrize("ttft_ms", [810, 879])
def test_within_ten_per_cent_the_load_decides(ttft_ms):
    near = replace(SOLDIER1, ttft_ms=ttft_ms)
    result = route(LoadBalanceStrategy.LATENCY_AWARE, replace(KING, in_hand=1), near)
    assert (result.node, result.decision) == ("soldier1", RoutingDecision.LOWEST_LOAD)


def test_beyond_ten_per_cent_one_request_more_does_not():
    far = replace(SOLDIER1, ttft_ms=1000)
    assert route(LoadBalanceStrategy.LATENCY_AWARE, replace(KING, in_hand=1), far).node == "king"


def test_loading_costs_five_seconds_until_it_is_learned():
    result = route(LoadBalanceStrategy.LATENCY_AWARE, EMPTY)
    assert result.estimated_latency_ms == 800 + UNLEARNED_LOAD_MS
    learned = route(LoadBalanceStrategy.LATENCY_AWARE, replace(EMPTY, load_ms=61_000))
    assert learned.estimated_latency_ms == 61_800


def test_a_first_token_that_comes_after_loading_is_told_as_such():
    reason = route(LoadBalanceStrategy.LATENCY_AWARE, EMPTY).reason
    assert "to the first token at this prompt size, once Llama-3.3-70B is loaded, and" in reason
    assert "once" not in route(LoadBalanceStrategy.LATENCY_AWARE, KING).reason


def test_times_in_a_reason_are_rounded():
    slow = replace(KING, ttft_ms=12_922)
    assert "about 13 s to the first" in route(LoadBalanceStrategy.LATENCY_AWARE, slow).reason


def test_latency_aware_loads_the_model_where_that_is_sooner():
    crawling = replace(KING, ttft_ms=240_000)
    assert route(LoadBalanceStrategy.LATENCY_AWARE, crawling, EMPTY).node == "soldier1"


def test_a_single_lucky_sample_is_not_believed():
    lucky = replace(SOLDIER1, ttft_ms=1, ttft_samples=MIN_SAMPLES - 1)
    assert route(LoadBalanceStrategy.LATENCY_AWARE, KING, lucky).node == "king"
    assert route(LoadBalanceStrategy.LATENCY_AWARE, lucky).estimated_latency_ms is None


def test_an_unmeasured_place_is_tried_with_a_few_and_not_with_a_whole_burst():
    slow, unknown = replace(KING, ttft_ms=10_000), replace(SOLDIER1, ttft_samples=0)
    went = burst(LoadBalanceStrategy.LATENCY_AWARE, 40, slow, unknown)
    assert 3 <= went["soldier1"] <= 10


def test_least_loaded_counts_what_waits_too():
    busy = replace(KING, in_hand=1, waiting=3)
    result = route(LoadBalanceStrategy.LEAST_LOADED, busy, replace(SOLDIER1, in_hand=2))
    assert (result.node, result.decision) == ("soldier1", RoutingDecision.LOWEST_LOAD)
    assert "2 requests are in hand at soldier1" in result.reason


def test_least_loaded_spares_a_hot_gpu():
    hot = replace(KING, gpu_usage=0.97)
    assert route(LoadBalanceStrategy.LEAST_LOADED, hot, replace(SOLDIER1, gpu_usage=0.1)).node == (
        "soldier1"
    )


@pytest.mark.parametrize("strategy", WEIGHING)
def test_a_model_goes_where_most_memory_is_free(strategy):
    small = replace(EMPTY, cluster="a", node="small", memory_free_bytes=64 * 2**30)
    large = replace(EMPTY, cluster="b", node="large", memory_free_bytes=400 * 2**30)
    assert route(strategy, small, large).node == "large"


def test_round_robin_takes_turns():
    result, state = choose(LoadBalanceStrategy.ROUND_ROBIN, (KING, SOLDIER1), FRESH, model=MODEL)
    again, _ = choose(LoadBalanceStrategy.ROUND_ROBIN, (KING, SOLDIER1), state, model=MODEL)
    assert {result.node, again.node} == {"king", "soldier1"}
    assert again.decision is RoutingDecision.ROUND_ROBIN


# Doors


@every_strategy
def test_a_door_that_holds_a_shard_is_preferred(strategy):
    passing_on = replace(KING, door="http://soldier2", node="soldier2", holds_shard=False)
    assert route(strategy, passing_on, KING).node == "king"


def test_a_door_that_is_not_otherwise_busy_is_preferred():
    busy = replace(KING, door="http://soldier2", node="soldier2", busy_elsewhere=True)
    assert route(LoadBalanceStrategy.MODEL_AFFINITY, busy, KING).node == "king"


def test_streams_spread_over_the_doors_that_hold_a_shard():
    doors = [replace(KING, door=f"http://{n}", node=n) for n in ("king", "soldier1", "soldier2")]
    passing_on = replace(KING, door="http://soldier3", node="soldier3", holds_shard=False)
    went = burst(LoadBalanceStrategy.MODEL_AFFINITY, 30, *doors, passing_on)
    assert went == {"king": 10, "soldier1": 10, "soldier2": 10}


def test_a_door_outside_the_instance_says_so():
    passing_on = replace(KING, holds_shard=False)
    assert "home holds Llama-3.3-70B, is asked through king" in (
        route(LoadBalanceStrategy.MODEL_AFFINITY, passing_on).reason
    )


# What is out of the question, and what is said then


@pytest.mark.parametrize(
    ("out", "why"),
    [
        (replace(SOLDIER1, healthy=False), "does not answer"),
        (replace(SOLDIER1, breaker=BreakerState.OPEN, admitted=False), "failing repeatedly"),
        (replace(SOLDIER1, breaker=BreakerState.HALF_OPEN, admitted=False), "tried again"),
        (replace(EMPTY, fits=False), "has no room for Llama-3.3-70B"),
        (replace(EMPTY, fits=None), "its size is not known"),
        (replace(HELD_UP, fits=False), "can't answer for Llama-3.3-70B while soldier3 is gone"),
    ],
)
def test_what_is_ruled_out_says_why_and_comes_last(out, why):
    result = route(LoadBalanceStrategy.MODEL_AFFINITY, out, replace(KING, in_hand=60))
    assert result.node == "king"
    assert why in str(result.candidates[-1].excluded)
    assert why in result.reason


def test_nothing_is_loaded_where_the_owner_forbids_it():
    with pytest.raises(NoCandidate, match=r"soldier1 does not have Llama-3\.3-70B loaded"):
        choose(LoadBalanceStrategy.MODEL_AFFINITY, [EMPTY], FRESH, model=MODEL, may_load=False)


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ([], "No exo cluster is connected"),
        ([replace(KING, healthy=False)], "king does not answer. Look whether exo runs"),
        ([replace(KING, admitted=False)], "Try again in half a minute"),
        ([replace(EMPTY, fits=False)], "has no room for Llama-3.3-70B. Load it or unload"),
        ([replace(HELD_UP, fits=False)], "while soldier3 is gone. See to that machine"),
    ],
)
def test_with_no_candidate_left_it_says_what_is_missing(candidates, said):
    with pytest.raises(NoCandidate) as none:
        route(LoadBalanceStrategy.MODEL_AFFINITY, *candidates)
    assert said in str(none.value)


def test_a_large_fleet_is_not_listed_to_the_end():
    fleet = [replace(KING, node=f"n{i}", door=f"http://n{i}", healthy=False) for i in range(40)]
    with pytest.raises(NoCandidate, match="and 36 more"):
        route(LoadBalanceStrategy.MODEL_AFFINITY, *fleet)


def test_a_fallback_says_who_stands_in_and_why():
    result = fell_back("Ollama", "http://localhost:11434", "king does not answer.")
    assert result.decision is RoutingDecision.FALLBACK
    assert result.reason == "fallback: Ollama stands in. king does not answer."


# What must always hold

small = st.integers(0, 20)
learned_ms = st.none() | st.floats(0.01, 1e7)


@st.composite
def fleets(draw, min_size=1, max_size=7):
    count = draw(st.integers(min_size, max_size))
    return [
        Candidate(
            cluster=draw(st.sampled_from("ab")),
            door=f"http://n{number}",
            node=f"n{number}",
            healthy=draw(st.booleans()),
            admitted=draw(st.booleans()),
            loaded=draw(st.booleans()),
            loading=draw(st.booleans()),
            fits=draw(st.sampled_from([True, False, None])),
            holds_shard=draw(st.booleans()),
            busy_elsewhere=draw(st.booleans()),
            streams=draw(small),
            in_hand=draw(small),
            waiting=draw(small),
            memory_free_bytes=draw(st.none() | st.integers(0, 2**42)),
            gpu_usage=draw(st.none() | st.floats(0, 1)),
            ttft_ms=draw(learned_ms),
            ttft_samples=draw(st.integers(0, 6)),
            load_ms=draw(learned_ms),
        )
        for number in range(count)
    ]


strategies = st.sampled_from(LoadBalanceStrategy)


@st.composite
def states(draw):
    state = FRESH
    for number in draw(st.lists(st.integers(0, 6), max_size=12)):
        state = state.taken((draw(st.sampled_from("ab")), f"http://n{number}"))
    return state


def winner(strategy, fleet, state):
    try:
        result, _ = choose(strategy, fleet, state, model=MODEL)
    except NoCandidate:
        return None
    return result


@given(strategies, fleets(), states())
def test_a_door_that_does_not_answer_is_never_chosen(strategy, fleet, state):
    result = winner(strategy, fleet, state)
    chosen = [one for one in fleet if result and one.node == result.node]
    assert all(one.healthy and one.admitted for one in chosen)
    assert result or not any(one.healthy and one.admitted and one.loaded for one in fleet)


@given(strategies, fleets(min_size=2), states(), st.data())
def test_removing_a_loser_never_changes_the_winner(strategy, fleet, state, data):
    result = winner(strategy, fleet, state)
    losers = [one for one in fleet if result is None or one.node != result.node]
    gone = data.draw(st.sampled_from(losers))
    without = winner(strategy, [one for one in fleet if one is not gone], state)
    assert (without and without.node) == (result and result.node)


@given(strategies, fleets(), states(), st.randoms(use_true_random=False))
def test_the_same_input_in_any_order_gives_the_same_result(strategy, fleet, state, rng):
    shuffled = list(fleet)
    rng.shuffle(shuffled)
    assert winner(strategy, shuffled, state) == winner(strategy, fleet, state)


@given(strategies, fleets(), states())
def test_scores_are_finite_and_the_sum_of_their_parts(strategy, fleet, state):
    for scored in rank(strategy, fleet, state, model=MODEL):
        assert math.isfinite(scored.score)
        assert scored.score == sum(scored.parts.values())


@given(strategies, fleets(), states())
def test_every_candidate_is_accounted_for_and_the_reason_is_a_sentence(strategy, fleet, state):
    result = winner(strategy, fleet, state)
    if result is None:
        return
    assert {one.candidate.node for one in result.candidates} == {one.node for one in fleet}
    assert result.reason.startswith(f"{result.decision}: ")
    assert result.reason.endswith(".")
    assert str(result.node) in result.reason


@given(st.integers(2, 6), st.integers(1, 40))
def test_round_robin_is_fair(doors, rounds):
    fleet = [replace(KING, node=f"n{i}", door=f"http://n{i}") for i in range(doors)]
    went = one_by_one(LoadBalanceStrategy.ROUND_ROBIN, doors * rounds + 1, *fleet)
    assert max(went.values()) - min(went.values()) <= 1


@given(strategies, st.integers(2, 5), st.sampled_from([one_by_one, burst]))
def test_equal_candidates_share_equally(strategy, clusters, arriving):
    fleet = [replace(KING, cluster=f"c{i}", node=f"n{i}") for i in range(clusters)]
    went = arriving(strategy, 20 * clusters, *fleet)
    assert all(18 <= went[one.node] <= 22 for one in fleet)


@given(st.sampled_from(WEIGHING), st.floats(1.0, 1.1))
def test_a_burst_does_not_herd_to_the_slightly_better(strategy, ratio):
    slower = replace(SOLDIER1, ttft_ms=800 * ratio)
    went = burst(strategy, 40, KING, slower)
    assert abs(went["king"] - went["soldier1"]) <= 2


def test_what_is_over_no_longer_counts():
    door = KING.key
    state = FRESH.taken(door).taken(door).released(door)
    assert state.sent == {door: 1}
    assert state.released(door).sent == {}
    assert state.released(door).released(door).sent == {}


def test_doors_long_gone_are_forgotten():
    state = FRESH
    for number in range(600):
        state = state.taken(("home", f"http://n{number}"))
    assert len(state.turns) == 512
    assert ("home", "http://n599") in state.turns
