"""What is said and drawn of an answer: its phases, its sentence, its figures, and its code."""

import ast
import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.core.evidence import Evidence
from fleetweb.core.forecast import Estimate, Forecast
from fleetweb.core.presence import CognitiveState
from fleetweb.core.streams import Outcome, Stage, Stream
from fleetweb.gateway.caller import Reach
from fleetweb.web.playground import cards, voice
from fleetweb.web.playground.asking import Target, body_of
from fleetweb.web.playground.forms import Composer, model_choices
from fleetweb.web.playground.snippets import snippets
from fleetweb.web.playground.standing import Heard, Standing, Try, restored, stored

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODELS = [("auto", "Best available"), ("llama", "Llama")]


def stream(stage: Stage = Stage.READING, **shown: Any) -> Stream:
    return Stream("req_1", "ada", stage, AT, AT, "mlx-community/Llama-3.3-70B-4bit", **shown)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def sentence(**shown: Any) -> str:
    return voice.sentence_of(Standing(stream(**shown)), "your prompt")


DONE = Standing(
    stream(Stage.ANSWERING),
    outcome=Outcome.OK,
    ended_at=after(10),
    admitted_s=1.0,
    loaded_s=3.0,
    first_token_s=4.0,
    answering_s=6.0,
    ended_s=10.0,
    nodes=("king", "soldier1"),
    tries=(Try("soldier2", 20.0, "soldier2 has gone quiet."), Try("king", 9000.0)),
    prompt_tokens=1200,
    completion_tokens=300,
    reasoning_tokens=100,
    tokens_per_s=50.0,
    cost_usd="0",
)


class TestSentence:
    @pytest.mark.parametrize(
        ("shown", "said"),
        [
            ({"stage": Stage.WAITING}, "Finding a machine that can answer."),
            (
                {"stage": Stage.WAITING, "position": 3, "expected_wait_s": 40.0},
                "Number 3 in line, about 40 s to wait.",
            ),
            ({"stage": Stage.WAITING, "position": 1}, "Next in line."),
            ({"stage": Stage.LOADING}, "Waking up Llama-3.3-70B: its machines get ready."),
            (
                {"stage": Stage.LOADING, "done": 34, "total": 94},
                "Waking up Llama-3.3-70B: 34 of 94 layers.",
            ),
            ({"done": 4096, "total": 8192}, "Reading your prompt: 50 % of 8,192 tokens."),
            ({"provider": "claude"}, "Claude is reading your prompt."),
            ({"stage": Stage.THINKING}, "It's not broken. It's thinking."),
            (
                {"stage": Stage.THINKING, "contradiction": True},
                "Grappling with contradiction in: your prompt",
            ),
            ({"stage": Stage.THINKING, "recursive": True}, "Deep recursive thinking: your prompt"),
            (
                {
                    "stage": Stage.ANSWERING,
                    "circling": True,
                    "evidence": (Evidence("cycle_words", 24), Evidence("cycle_repeats", 5)),
                },
                "Going in circles: the same 24 words, 5 times.",
            ),
            (
                {
                    "stage": Stage.THINKING,
                    "silent": True,
                    "evidence": (Evidence("gap_ms", 40_000, 22_000, "stream"),),
                },
                "Silent for 40 s; its longest silence here was 22 s. It may be stuck.",
            ),
            ({"stage": Stage.ANSWERING}, "Writing the answer."),
        ],
    )
    def test_says_what_is_so(self, shown, said):
        assert sentence(**shown) == said

    @pytest.mark.parametrize(
        ("outcome", "error", "said"),
        [
            (Outcome.OK, "", "Answered in 10 s."),
            (Outcome.CANCELLED, "Cancelled from the control room.", "Stopped."),
            (Outcome.FAILED, "exo said no.", "exo said no."),
            (Outcome.INTERRUPTED, "", voice.LOST),
        ],
    )
    def test_says_how_it_ended(self, outcome, error, said):
        ended = Standing(stream(), outcome=outcome, ended_at=after(10), ended_s=10.4, error=error)
        assert voice.sentence_of(ended, "your prompt") == said


class TestForecast:
    def test_tightens_while_it_waits(self):
        reading = Standing(stream(forecast=Forecast(Estimate(60.0, 90.0), Estimate(80.0, 120.0))))
        said = [voice.forecast_of(reading, after(seconds)) for seconds in (0, 20, 100)]
        assert said == [
            "Until its first word: about 60 s, at most 90.",
            "Until its first word: about 40 s, at most 70.",
            "Until its first word: longer than expected: 100 s so far.",
        ]

    def test_is_of_the_end_once_it_speaks(self):
        forecast = Forecast(Estimate(60.0, 90.0), Estimate(80.0, 120.0))
        speaking = Standing(stream(Stage.ANSWERING, forecast=forecast), first_token_s=50.0)
        assert voice.forecast_of(speaking, after(50)).startswith("Until its end: about 30 s")

    def test_is_said_to_be_unknown_where_it_is(self):
        assert voice.forecast_of(Standing(stream()), AT) == voice.NO_FORECAST
        assert voice.forecast_of(DONE, AT) == ""


class TestStillness:
    @pytest.mark.parametrize(
        "shown",
        [
            {"stage": Stage.WAITING, "position": 2},
            {"stage": Stage.LOADING},
            {"stage": Stage.READING},
            {"stage": Stage.THINKING, "said_at": AT},
            {"stage": Stage.ANSWERING, "said_at": AT},
        ],
    )
    def test_is_never_unexplained(self, shown):
        standing = Standing(stream(**shown))
        assert voice.stillness_of(standing, after(1)) == ""
        assert voice.stillness_of(standing, after(3)) != ""

    def test_says_nothing_where_the_silence_itself_is_the_news(self):
        silent = Standing(stream(Stage.THINKING, said_at=AT, silent=True))
        assert voice.stillness_of(silent, after(60)) == ""

    def test_says_who_is_heard_of(self):
        machines = (
            Heard("king", CognitiveState.READING, "Reading.", after(29)),
            Heard("soldier1", CognitiveState.QUIET, "Gone quiet.", after(10)),
        )
        head = cards.head(1, Standing(stream(), machines=machines), after(30))
        assert [(m.name, m.heard) for m in head.machines] == [
            ("king", "just heard of"),
            ("soldier1", "last heard 20 s ago"),
        ]


class TestPhases:
    def phases(self, standing: Standing) -> list[tuple[str, str]]:
        head = cards.head(1, standing, after(20))
        return [(phase.when.value, phase.took) for phase in head.phases]

    def test_each_took_its_time(self):
        assert self.phases(DONE) == [
            ("past", "1.0 s"),
            ("past", "2.0 s"),
            ("past", "1.0 s"),
            ("past", "2.0 s"),
            ("past", "4.0 s"),
        ]

    def test_what_was_not_gone_through_is_skipped(self):
        direct = Standing(
            stream(Stage.ANSWERING), admitted_s=0.5, first_token_s=2.0, answering_s=2.0
        )
        assert self.phases(direct) == [
            ("past", "500 ms"),
            ("skipped", ""),
            ("past", "1.5 s"),
            ("skipped", ""),
            ("now", ""),
        ]

    def test_one_that_failed_while_loading_got_no_further(self):
        failed = Standing(
            stream(Stage.LOADING),
            outcome=Outcome.FAILED,
            ended_at=after(5),
            admitted_s=1.0,
            ended_s=5.0,
        )
        assert self.phases(failed) == [
            ("past", "1.0 s"),
            ("past", "4.0 s"),
            ("skipped", ""),
            ("skipped", ""),
            ("skipped", ""),
        ]

    def test_the_present_one_ticks_from_where_the_last_one_ended(self):
        reading = Standing(stream(Stage.READING), admitted_s=4.0)
        (now,) = (p for p in cards.head(1, reading, after(9)).phases if p.since)
        assert (now.phase, now.since.iso) == ("reading", "2026-11-23T12:00:04.000Z")


class TestFigures:
    def figures(self, standing: Standing) -> dict[str, str]:
        return {f.label: f.value for f in cards.measures(1, standing).figures}

    def test_say_what_was_measured(self):
        assert self.figures(DONE) == {
            "Model": "Llama-3.3-70B",
            "Ran on": "king and soldier1 (exo)",
            "First word": "4.0 s",
            "Speed": "50.0 tokens/s",
            "Tokens": "1,200 read, 300 written, 100 of them thought",
            "Cost": "nothing",
            "Attempts": "2, 1 of them failed",
        }

    def test_earlier_tries_are_told_with_the_reason(self):
        assert cards.head(1, DONE, after(20)).failed == ("soldier2: soldier2 has gone quiet.",)

    def test_what_nobody_measured_is_unknown_and_not_nothing(self):
        failed = Standing(stream(), outcome=Outcome.FAILED, ended_at=AT)
        assert set(self.figures(failed).values()) == {"unknown"}

    def test_what_is_to_come_is_not_yet(self):
        assert set(self.figures(Standing(stream())).values()) == {"not yet"}

    def test_thinking_that_is_past_says_how_long_it_took(self):
        assert cards.mind(1, DONE).sentence == "Thought for 2.0 s"
        assert not cards.mind(1, DONE).lives


def test_a_standing_is_restored_as_it_was_stored():
    assert restored(json.loads(json.dumps(stored(DONE)))) == DONE
    assert restored({}) is None


class TestCode:
    BODY = body_of(
        "llama", "Be 'brief'.", [("Hi\n$HOME `x`", 'Hello "you"')], "It's ü ✓ \\n?", {"seed": 7}
    )
    TARGET = Target("llama", LoadBalanceStrategy.ROUND_ROBIN, Reach.NONE, afresh=True)

    def made(self) -> dict[str, str]:
        base = "http://127.0.0.1:8000/v1"
        return {s.name: s.source for s in snippets(base, self.BODY, self.TARGET.headers())}

    def test_curl_sends_exactly_that(self):
        words = shlex.split(self.made()["curl"].replace("\\\n", " "))
        assert json.loads(words[words.index("-d") + 1]) == self.BODY
        assert "X-Fleetweb-Strategy: round_robin" in words
        assert "X-Fleetweb-Fallback: none" in words
        assert "Cache-Control: no-cache" in words

    def test_python_asks_exactly_that(self):
        tree = ast.parse(self.made()["Python"])
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        (create,) = (c for c in calls if ast.unparse(c.func).endswith("completions.create"))
        asked = {k.arg: ast.literal_eval(k.value) for k in create.keywords}
        assert asked.pop("extra_headers") == self.TARGET.headers()
        assert asked == self.BODY

    def test_javascript_asks_exactly_that(self):
        source = self.made()["JavaScript"].partition("completions.create(")[2]
        assert json.loads(source.partition(");\nfor await")[0]) == self.BODY

    def test_no_secret_stands_in_it(self):
        assert all("FLEETWEB_TOKEN" in source for source in self.made().values())


class TestComposer:
    def composer(self, **boxes: str) -> Composer:
        return Composer(MODELS, {"prompt": "Hi.", "model_0": "auto", **boxes})

    def test_reads_targets_in_their_order(self):
        form = self.composer(model_2="llama", strategy_2="least_loaded", reach_2="local")
        assert form.is_valid(), form.errors
        assert form.asked().targets == (
            Target("auto"),
            Target("llama", LoadBalanceStrategy.LEAST_LOADED, Reach.LOCAL),
        )

    def test_leaves_out_what_is_not_given(self):
        form = self.composer(temperature="0", stop=" \n")
        assert form.is_valid(), form.errors
        assert form.asked().params == {"temperature": 0.0}

    def test_a_model_that_has_gone_since_is_asked_for_all_the_same(self):
        assert self.composer(model_0="gone").is_valid()

    def test_offers_what_is_loaded_first_and_nobody_who_only_stands_in(self):
        entries = [
            {"id": "mlx/A", "provider": "exo", "loaded": True},
            {"id": "mlx/B", "provider": "exo", "loaded": False},
            {"id": "claude-x", "provider": "claude", "loaded": None},
        ]
        assert model_choices(entries) == [
            ("auto", "Best available"),
            ("Loaded", [("mlx/A", "A")]),
            ("To be loaded first", [("mlx/B", "B")]),
        ]
