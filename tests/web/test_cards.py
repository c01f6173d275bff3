"""What the room shows, as values."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from fleetweb.core.evidence import Evidence
from fleetweb.core.forecast import Estimate, Forecast
from fleetweb.core.presence import CognitiveState, ShardShare, Span
from fleetweb.core.snapshot import RunnerPhase
from fleetweb.core.streams import Outcome
from fleetweb.web.cards import RoomCard, figures, room
from fleetweb.web.cards.evidence import row
from fleetweb.web.cards.holdings import holding
from fleetweb.web.cards.holds import holds
from fleetweb.web.cards.looks import LOOKS, Tone
from fleetweb.web.cards.machine import machine, node_id, vitals
from fleetweb.web.cards.ribbon import ribbon
from fleetweb.web.cards.stage import columns, king, stage
from fleetweb.web.cards.trail import trail

from . import samples
from .samples import NOW, SAMPLES, ago


def draw(name: str, *, owner: bool = True) -> RoomCard:
    return room(SAMPLES[name](), NOW, owner=owner)


@pytest.mark.parametrize("name", SAMPLES)
def test_draws_every_fleet_and_keeps_every_machine(name: str) -> None:
    presence = SAMPLES[name]()
    card = room(presence, NOW, owner=True)
    assert sorted(m.name for m in card.machines) == sorted(n.name for n in presence.nodes)
    assert len({m.id for m in card.machines}) == len(presence.nodes)


def test_every_state_has_a_word_and_an_icon_of_its_own() -> None:
    assert set(LOOKS) == set(CognitiveState)
    for part in ("word", "icon"):
        assert len({getattr(look, part) for look in LOOKS.values()}) == len(LOOKS)


def test_only_doubt_is_violet_and_only_absence_is_grey() -> None:
    tones = {tone: {s.value for s, look in LOOKS.items() if look.tone is tone} for tone in Tone}
    assert tones[Tone.DOUBT] == {"grappling", "resolving", "circling"}
    assert tones[Tone.AWAY] == {"offline"}


def test_a_machine_never_seen_is_not_here_yet() -> None:
    assert {m.look.word for m in draw("never_seen").machines} == {"Not here yet"}


def test_the_fleet_names_the_machine_it_speaks_for() -> None:
    assert draw("held_up").fleet.speaker == "soldier2"
    assert draw("busy").fleet.speaker == ""


def test_counts_who_is_here() -> None:
    assert draw("one_dead").fleet.summary == ("3 of 4 machines here", "1,024 GB of memory")
    assert draw("alone").fleet.summary == ("1 machine", "32 GB of memory")


def test_a_notice_stands_only_for_a_cluster_in_trouble() -> None:
    assert draw("busy").notices == ()
    (notice,) = draw("unreachable").notices
    assert (notice.condition, notice.since.clock) == ("unreachable", "14:31:07")


def test_times_are_told_in_the_zone_of_now() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    card = room(samples.busy(), there, owner=True)
    assert (card.at.clock, card.at.iso) == ("16:32:07", "2026-11-23T14:32:07.000Z")


class TestPrivacy:
    @pytest.mark.parametrize(
        "name", ["busy", "gateway", "doubting", "held_up", "rehearsal", "doubled"]
    )
    def test_others_than_the_owner_see_no_prompt(self, name: str) -> None:
        shown, hidden = draw(name), draw(name, owner=False)
        assert "garden" in repr(shown)
        assert "garden" not in repr(hidden)
        assert "rhymes" not in repr(hidden)

    def test_they_are_told_that_there_is_a_request(self) -> None:
        card = draw("busy", owner=False)
        assert card.machines[0].sentence == "Working hard: a request"
        assert [(held.title, held.quoted) for held in card.holds.in_thought.shown] == [
            ("A request", False)
        ] * 2


class TestMachine:
    def test_plain_names_are_ids_and_others_get_a_mark(self) -> None:
        assert node_id("king") == "node-king"
        assert node_id("King") != node_id("king ") != "node-king"
        assert node_id("数").startswith("node-")

    def test_says_unknown_where_exo_says_nothing(self) -> None:
        card = draw("alone").machines[0]
        assert [(v.label, v.value) for v in card.vitals] == [
            ("Memory", "10 of 32 GB"),
            ("GPU", "unknown"),
            ("Temperature", "unknown"),
            ("Power", "unknown"),
        ]
        assert [v.share for v in card.vitals] == ["31", None, None, None]

    def test_a_machine_that_exo_does_not_count_in_has_no_figures(self) -> None:
        assert vitals(replace(samples.node(), exo=None)) == ()

    def test_intensity_has_two_decimals_and_stays_in_bounds(self) -> None:
        loud = samples.node(doing=samples.load(CognitiveState.PROCESSING, "…", 1.7))
        assert machine(loud, NOW, central=False).intensity == "1.00"
        assert draw("busy").machines[1].intensity == "0.62"

    def test_a_ring_is_drawn_only_where_something_tells_how_far_it_is(self) -> None:
        assert draw("learning").machines[2].arc == "41.2"
        assert draw("idle").machines[0].arc is None

    def test_last_heard_is_news_only_after_five_seconds(self) -> None:
        assert all(m.heard is None for m in draw("idle").machines)
        heard = {m.name: m.heard for m in draw("held_up").machines}
        assert heard["soldier2"] is not None
        assert heard["soldier2"].clock == "14:31:55"

    def test_two_models_are_named_and_more_are_counted(self) -> None:
        one = ShardShare("i", "org/Llama-3.2-8B", RunnerPhase.READY)
        for count, shown, more in ((2, 2, ""), (3, 1, "2 other models")):
            shares = tuple(replace(one, instance_id=str(i)) for i in range(count))
            card = machine(replace(samples.node(), shares=shares), NOW, central=False)
            assert (len(card.shown), card.more, len(card.holdings)) == (shown, more, count)


class TestHoldings:
    def test_layers_are_counted_from_one_and_meet_without_a_gap(self) -> None:
        parts = [f"{h.part} {h.of}" for m in draw("busy").machines for h in m.holdings]
        assert parts == ["layers 1–48 of 94", "layers 49–71 of 94", "layers 72–94 of 94"]

    def test_a_machine_alone_holds_the_whole(self) -> None:
        assert holding(samples.share(samples.LLAMA, 0, 80, 80, ())).part == "whole"

    def test_a_tensor_shard_is_a_slice_of_every_layer(self) -> None:
        shard = samples.share(samples.QWEN, 0, 94, 94, ("king",), sharding="tensor")
        assert holding(shard).part == "a slice of each layer"

    def test_a_range_that_is_not_known_is_not_made_up(self) -> None:
        shard = ShardShare("i", "m", RunnerPhase.ABSENT, companions=("king",))
        assert (holding(shard).part, holding(shard).phase) == ("a part", "on its way")

    def test_names_who_holds_the_rest(self) -> None:
        assert draw("busy").machines[0].holdings[0].company == "soldier1 and soldier2"


@pytest.mark.parametrize(
    ("fact", "label", "value"),
    [
        (Evidence("last_heard_s", 0.6), "Last heard", "just now"),
        (Evidence("last_heard_s", 12.4), "Last heard", "12 s ago"),
        (Evidence("layers_loaded", 34, 94), "Layers loaded", "34 of 94"),
        (Evidence("layers_loaded", None, 94), "Layers loaded", "unknown of 94"),
        (Evidence("gap_ms", 40120, 22000), "Silence in the stream", "40 s, longest before 22 s"),
        (Evidence("gpu_usage", 0.62), "GPU in use", "62 %"),
        (Evidence("bytes_per_s", 318_000_000), "Download speed", "318 MB/s"),
        (Evidence("event_index_still", 4711), "exo's count of events", "stands still at 4,711"),
        (Evidence("in_topology", value=False), "exo counts it in", "no"),
        (Evidence("runner_phase", "warming_up"), "exo's runner", "warming up"),
        (Evidence("holds", "layers 72–94", 94), "Holds", "layers 72–94 of 94"),
        (Evidence("view_still_s", 7.0), "View still", "7 s"),
        (Evidence("repeat_count", 5, 2), "Repeat count", "5, against 2"),
        (Evidence("wire_tokens_per_s", 11.25), "Wire", "11.2 tokens/s"),
        (Evidence("doubt_ratio", None), "Doubt", "unknown"),
        (Evidence("cycle_repeats", 5, 3), "Times in a row", "5, and 3 would do"),
        (
            Evidence("contradiction_likelihood", 0.97, 0.9),
            "It contradicts itself",
            "likely by 97 %, said from 90 %",
        ),
        (Evidence("prompt_tokens_read", 8192, 12288), "Tokens read", "8,192 of 12,288"),
    ],
)
def test_evidence_is_said_in_words(fact: Evidence, label: str, value: str) -> None:
    assert (row(fact).label, row(fact).value) == (label, value)


def test_evidence_names_its_source() -> None:
    assert row(Evidence("gap_ms", 1, source="stream")).source == "its stream"
    assert row(Evidence("gap_ms", 1, source="elsewhere")).source == "elsewhere"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (figures.gigabytes(512 * 2**30), "512 GB"),
        (figures.gigabytes(3 * 2**29), "1.5 GB"),
        (figures.gigabytes(None), "unknown"),
        (figures.share(None), "unknown"),
        (figures.degrees(71.6), "72 °C"),
        (figures.number(12288), "12,288"),
        (figures.elapsed(None), "unknown"),
        (figures.elapsed(999.4), "999 ms"),
        (figures.elapsed(999.6), "1.0 s"),
        (figures.elapsed(9949), "9.9 s"),
        (figures.elapsed(9960), "10 s"),
        (figures.elapsed(12_922), "13 s"),
        (figures.elapsed(69_786), "70 s"),
        (figures.elapsed(119_400), "119 s"),
        (figures.elapsed(119_600), "2 min"),
        (figures.elapsed(179_000), "3 min"),
        (figures.elapsed(7_199_000), "2 h"),
        (figures.elapsed(7_530_000), "2 h 6 min"),
        (figures.elapsed(312_000_000), "4 days"),
        (figures.svg(3.10), "3.1"),
        (figures.svg(0), "0"),
    ],
)
def test_figures_are_said_as_people_read_them(said: str, meant: str) -> None:
    assert said == meant


def gutter(machines: int, first: int, last: int) -> float:
    """Where the line between two of `machines` equals goes down, in per cent of the width."""
    nodes = [samples.node(f"mac-{number}") for number in range(machines)]
    for one, other in ((first, last), (last, first)):
        share = samples.share(samples.QWEN, 0, 4, 9, {nodes[other].name})
        nodes[one] = replace(nodes[one], shares=(share,))
    (line,) = stage(nodes).lines
    return float(line.path.split("L")[2].split()[0])


class TestStage:
    def test_the_king_stands_first_and_in_the_middle(self) -> None:
        presence = samples.busy()
        turned = replace(presence, nodes=presence.nodes[::-1])
        first = room(turned, NOW, owner=True).machines[0]
        assert (first.name, first.central) == ("king", True)

    def test_a_machine_alone_is_in_the_middle_and_workers_are_equals(self) -> None:
        assert king(samples.alone().nodes) == "Mac mini"
        assert king(samples.hostile().nodes) is None
        assert king(()) is None

    @pytest.mark.parametrize("machines", range(65))
    def test_rows_are_filled_evenly(self, machines: int) -> None:
        assert 1 <= columns(machines) <= 6

    def test_lines_join_those_that_share_a_model(self) -> None:
        lines = stage(samples.busy().nodes).lines
        assert [line.mood for line in lines] == ["work", "work"]
        assert all(line.path.startswith("M50 7.5C") for line in lines)

    def test_nothing_joins_machines_that_share_nothing(self) -> None:
        assert stage(samples.idle().nodes).lines == ()

    def test_lines_rest_while_nothing_works(self) -> None:
        assert {line.mood for line in stage(samples.waking().nodes).lines} == {"rest"}

    def test_lines_hurt_where_one_of_them_is_missed(self) -> None:
        assert {line.mood for line in stage(samples.doubting().nodes).lines} == {"doubt"}
        assert {line.mood for line in stage(samples.held_up().nodes).lines} == {"hurt"}
        assert {line.mood for line in stage(samples.stumbled().nodes).lines} == {"hurt"}

    def test_soldiers_are_joined_without_their_king(self) -> None:
        (line,) = stage(samples.doubled().nodes).lines
        assert line.path.startswith("M16.67 22C")
        assert line.path.endswith("83.33 22")

    def test_without_their_king_each_is_joined_to_the_next(self) -> None:
        nodes = [
            replace(
                samples.node(name),
                shares=(samples.share(samples.QWEN, 0, 4, 9, set(samples.SOLDIERS) - {name}),),
            )
            for name in samples.SOLDIERS
        ]
        lines = stage([samples.node("king"), *nodes]).lines
        assert [line.path.split("C")[0] for line in lines] == ["M16.67 22", "M50 22"]

    @pytest.mark.parametrize("machines", range(6, 25))
    def test_a_line_between_rows_goes_down_where_columns_meet(self, machines: int) -> None:
        """Of each machine of the first row and each of the last: through nobody in between."""
        side_by_side = columns(machines)
        in_last = machines % side_by_side or side_by_side
        for first in range(side_by_side):
            for last in range(machines - in_last, machines):
                column = gutter(machines, first, last) * side_by_side / 100
                assert column == pytest.approx(round(column), abs=0.01), (first, last)

    def test_a_pair_has_one_line_however_much_it_shares(self) -> None:
        pair = [
            replace(
                samples.node(name),
                shares=tuple(
                    samples.share(model, 0, 4, 8, (other,)) for model in (samples.QWEN, "b/B")
                ),
            )
            for name, other in (("king", "soldier1"), ("soldier1", "king"))
        ]
        assert len(stage(pair).lines) == 1

    def test_a_companion_that_is_gone_costs_only_its_line(self) -> None:
        lonely = replace(
            samples.node("king"), shares=(samples.share(samples.QWEN, 0, 4, 8, ("ghost",)),)
        )
        assert stage([lonely, samples.node("soldier1")]).lines == ()


class TestTrail:
    def test_breaks_where_nothing_is_known(self) -> None:
        card = trail((0.0, 1.0, None, 0.5, 0.5))
        assert card.path == "M55 22L56 2 M58 12L59 12"
        assert card.words == "Effort over the last minute: 50 % now, at most 100 %"

    def test_says_when_nothing_is_known(self) -> None:
        assert trail(()).words == trail((None, None)).words
        assert trail((None,)).path == ""


class TestRibbon:
    def test_says_the_same_in_words(self) -> None:
        (king, *_, soldier3) = ribbon(samples.busy(), NOW).bands
        assert soldier3.words == "Idle 10 min."
        assert king.words == (
            "Idle 87 s, then waking up 108 s, then idle 4 min, then reading 33 s, "
            "then processing 100 s."
        )

    def test_neighbours_of_one_state_are_one(self) -> None:
        assert [s.state.value for s in ribbon(samples.idle(), NOW).bands[0].segments] == [
            "idle",
            "processing",
            "idle",
        ]

    def test_shows_the_gap_while_nobody_watched_between_two_of_one_state(self) -> None:
        """A restart: the machine was idle before and after it."""
        watched = (
            Span("king", CognitiveState.IDLE, ago(300), ago(200)),
            Span("king", CognitiveState.IDLE, ago(140), None),
        )
        band = ribbon(replace(samples.idle(), spans=watched), NOW).bands[0]
        assert [(s.x, s.width) for s in band.segments] == [("297", "100"), ("457", "143")]
        assert band.words == "Idle 100 s, then unwatched 60 s, then idle 2 min."

    def test_fills_the_window_to_its_end_and_not_further(self) -> None:
        for band in ribbon(samples.busy(), NOW).bands:
            last = band.segments[-1]
            assert float(last.x) + float(last.width) == pytest.approx(600)
            assert float(band.segments[0].x) == 0

    def test_stands_still_within_its_step_and_moves_on_after_it(self) -> None:
        presence = samples.busy()
        assert NOW.second == 7
        same = ribbon(presence, NOW + timedelta(seconds=2))
        moved = ribbon(presence, NOW + timedelta(seconds=3))
        assert ribbon(presence, NOW).bands == same.bands != moved.bands

    def test_many_changes_are_counted_rather_than_told(self) -> None:
        states = [CognitiveState.IDLE, CognitiveState.READING] * 5
        hectic = samples.spans(("king", [(s, 500 - 40 * i) for i, s in enumerate(states)]))
        presence = replace(samples.idle(), spans=hectic)
        assert ribbon(presence, NOW).bands[0].words.startswith("After 4 earlier changes, idle 40 s")

    def test_spans_before_the_window_are_left_out(self) -> None:
        old = Span("king", CognitiveState.IDLE, ago(900), ago(700))
        assert ribbon(replace(samples.idle(), spans=(old,)), NOW).bands[0].segments == ()


class TestHolds:
    def test_work_is_told_oldest_first_and_with_the_state_of_its_machines(self) -> None:
        presence = samples.doubting()
        cards = holds(replace(presence, work=presence.work[::-1]), NOW, owner=True).in_thought.shown
        assert [card.title for card in cards] == [samples.PREVIEW, samples.RHYMES]
        assert {card.look.word for card in cards} == {"Grappling"}
        assert cards[0].where == "Qwen3-235B-2507 on king, soldier1 and soldier2"

    def test_what_a_stream_tells_is_not_told_twice(self) -> None:
        cards = holds(samples.gateway(), NOW, owner=True).in_thought.shown
        assert [card.key for card in cards] == ["s1", "s2", "s3", "w2"]

    def test_says_how_far_a_request_is(self) -> None:
        cards = {
            card.key: card for card in holds(samples.gateway(), NOW, owner=True).in_thought.shown
        }
        words = {key: (card.look.word, card.measures, card.done) for key, card in cards.items()}
        assert words == {
            "s1": ("Thinking", "1,312 tokens", None),
            "s2": ("Reading", "8,192 of 12,288 tokens", "66.67"),
            "s3": ("Circling", "14.2 tokens/s", None),
            "w2": ("Processing", "", None),
        }

    def test_a_stream_that_has_said_nothing_yet_is_not_told_twice_either(self) -> None:
        base, told = samples.busy(), samples.gateway().streams[1]
        (work,) = base.work[:1]
        stream = replace(told, cluster=work.cluster, model_id=work.model_id, preview=work.preview)
        other = replace(work, id="other", preview="something else", command_id="c-2")
        cards = holds(
            replace(base, work=(other, work), streams=(stream,)), NOW, owner=True
        ).in_thought.shown
        assert sorted(card.key for card in cards) == ["other", "s2"]

    def test_only_the_owner_reads_who_asks_and_may_end_it(self) -> None:
        for owner in (True, False):
            cards = holds(samples.gateway(), NOW, owner=owner).in_thought.shown
            streams = [card for card in cards if card.key.startswith("s")]
            assert {card.asker for card in streams} == {"laptop" if owner else None}
            assert {card.ends for card in streams} == {owner}
            assert not any(card.ends for card in cards if card.key.startswith("w"))  # exo's own

    def test_says_what_is_left_as_far_as_anybody_knows(self) -> None:
        presence = samples.gateway()
        forecast = Forecast(first_token=Estimate(80, 110), end=Estimate(137, 187))
        foreseen = replace(
            presence, streams=tuple(replace(s, forecast=forecast) for s in presence.streams)
        )
        outlooks = {
            card.key: card.outlook for card in holds(foreseen, NOW, owner=True).in_thought.shown
        }
        assert outlooks["s1"] == "About 40 s, at most 90 to its end"
        assert outlooks["s2"] == "About 35 s, at most 70 to its first word"
        assert all(c.outlook is None for c in holds(presence, NOW, owner=True).in_thought.shown)

    def test_says_who_is_next_and_how_long_it_takes(self) -> None:
        cards = holds(samples.gateway(), NOW, owner=True).waiting.shown
        assert [card.measures for card in cards] == [
            "next, about 31 s to wait",
            "number 2 in line",
        ]

    def test_a_long_line_is_counted_rather_than_told(self) -> None:
        presence = samples.gateway()
        queue = tuple(
            replace(presence.streams[3], id=f"q{i}", position=i + 1) for i in reversed(range(20))
        )
        waiting = holds(replace(presence, streams=queue), NOW, owner=True).waiting
        assert [card.key for card in waiting.shown] == ["q0", "q1", "q2", "q3"]
        assert (waiting.total, waiting.more) == (20, 16)

    def test_says_what_came_of_the_latest(self) -> None:
        cards = holds(samples.gateway(), NOW, owner=True).answered
        assert [(card.look.word, card.where, card.measures) for card in cards] == [
            (
                "Answered",
                "Llama-3.3-70B on king",
                "in 8.7 s, first word after 1.2 s, 21.4 tokens/s",
            ),
            ("Answered", "Llama-3.3-70B", "from memory"),
            ("Answered", "Llama-3.3-70B on claude", "in 64 s"),
            ("Failed", "Llama-3.3-70B on king", ""),
        ]

    def test_an_answer_took_as_long_as_the_page_of_its_request_says(self) -> None:
        presence = samples.gateway()
        answer = replace(presence.answered[0], latency_ms=12_922.0, ttft_ms=9_960.0)
        (card,) = holds(replace(presence, answered=(answer,)), NOW, owner=True).answered
        assert card.measures.startswith("in 13 s, first word after 10 s")

    @pytest.mark.parametrize("outcome", Outcome)
    def test_every_outcome_has_a_look(self, outcome: Outcome) -> None:
        presence = samples.gateway()
        answered = (replace(presence.answered[0], outcome=outcome),)
        assert holds(replace(presence, answered=answered), NOW, owner=True).answered[0].look.word


def test_cards_are_values() -> None:
    assert draw("busy") == draw("busy")
    assert hash(draw("busy")) == hash(draw("busy"))
