"""The playground's pages: asked with and without scripts, kept for whoever asked, forgotten."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from fleetweb.core.streams import Outcome
from fleetweb.gateway.models import RequestMetric, RequestText
from fleetweb.rehearsal import SMALL
from fleetweb.web.models import PlaygroundAnswer, PlaygroundRun, PlaygroundTurn
from fleetweb.web.playground.runs import close_runs
from tests.rehearsal.waiting import until
from tests.scripted_exo import CUT, DONE, HOLD, USAGE, event

from .playground_house import (
    ASK,
    WITH_SCRIPTS,
    answered,
    answers,
    ask,
    playground,
    saying,
    visitor,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("exo")]

END = event({"content": " End."}, finish_reason="stop", usage=USAGE)


@pytest.fixture
async def exo():
    async with playground() as exo:
        yield exo


class TestAsking:
    async def test_without_scripts_the_answer_comes_with_the_page(self):
        ada = await visitor()
        response = await ada.post(ASK, {"prompt": "Hi.", "model_0": SMALL}, follow=True)
        page = response.content.decode()
        assert "Hello there." in page
        assert 'data-when="past"' in page
        assert "http-equiv" not in page

    async def test_with_scripts_the_page_is_there_before_the_answer(self, exo):
        exo.answers["Wait."] = (event({"content": "One"}), HOLD)
        ada = await visitor()
        run = await ask(ada, "Wait.")
        page = (await ada.get(f"{ASK}{run}/")).content.decode()
        assert "Wait." in page
        assert f"/ws/playground/{run}/" in page

    async def test_a_further_turn_knows_the_earlier_ones(self, exo):
        ada = await visitor()
        run = await ask(ada, "Hi.", system="Be brief.")
        await answered(run)
        await ask(ada, "And now?", at=f"{ASK}{run}/")
        await answered(run)
        assert [(m["role"], m["content"]) for m in exo.asked[-1]["messages"]] == [
            ("system", "Be brief."),
            ("user", "Hi."),
            ("assistant", "Hello there."),
            ("user", "And now?"),
        ]

    async def test_parameters_reach_the_model(self, exo):
        ada = await visitor()
        boxes = {"temperature": "0.5", "max_tokens": "64", "seed": "7", "stop": "one\ntwo"}
        await answered(await ask(ada, "Hi.", **boxes))
        sent = {name: exo.asked[-1].get(name) for name in ("temperature", "max_tokens", "seed")}
        assert sent == {"temperature": 0.5, "max_tokens": 64, "seed": 7}
        assert exo.asked[-1]["stop"] == ["one", "two"]

    async def test_four_answer_side_by_side(self):
        ada = await visitor()
        others = {f"model_{number}": SMALL for number in range(1, 4)}
        found = await answered(await ask(ada, "Hi.", strategy_2="round_robin", **others))
        assert [answer.text for answer in found] == ["Hello there."] * 4
        assert [answer.strategy for answer in found] == ["", "", "round_robin", ""]

    async def test_best_is_whatever_is_loaded(self):
        ada = await visitor()
        (answer,) = await answered(await ask(ada, "Hi.", model_0="auto"))
        assert answer.standing["stream"]["model_id"] == SMALL

    @pytest.mark.parametrize(
        ("boxes", "said"),
        [
            ({"prompt": ""}, "There is no prompt yet."),
            ({"prompt": "EXO RUNNER MUST FAIL"}, "runner"),
            ({"prompt": "Hi.", "temperature": "3"}, "less than or equal to 2"),
            ({"prompt": "Hi.", "strategy_0": "dice"}, "not one of the available choices"),
        ],
    )
    async def test_what_can_not_be_asked_is_said_beside_its_box(self, exo, boxes, said):
        ada = await visitor()
        response = await ada.post(ASK, {"model_0": SMALL, **boxes})
        assert response.status_code == 422
        assert said in response.content.decode()
        assert not await PlaygroundRun.objects.aexists()
        assert exo.asked == []

    async def test_what_is_no_text_is_kept_as_a_sign_that_something_was(self, exo):
        exo.answers["Odd."] = (event({"content": "a\x00b"}), END, DONE)
        ada = await visitor()
        (answer,) = await answered(await ask(ada, "Odd."))
        assert answer.text == "a\ufffdb End."

    async def test_the_dry_run_says_where_and_sends_nothing(self, exo):
        ada = await visitor()
        form = {"prompt": "Hi.", "model_0": SMALL, "model_1": "no-such-model"}
        for headers in (WITH_SCRIPTS, {}):
            response = await ada.post(f"{ASK}route/", form, headers=headers)
            page = response.content.decode()
            assert "holds Llama-3.2-8B" in page
            assert "no-such-model" in page
        assert exo.asked == []
        assert not await PlaygroundRun.objects.aexists()


class TestEnding:
    async def test_stop_closes_the_connection_and_keeps_what_came(self, exo):
        exo.answers["Go on."] = (event({"content": "So far"}), HOLD)
        ada = await visitor()
        run = await ask(ada, "Go on.")
        await saying(run, "So far")
        await ada.post(f"{ASK}{run}/stop/", headers=WITH_SCRIPTS)
        (answer,) = await answered(run, Outcome.CANCELLED)
        assert answer.text == "So far"
        await until(lambda: exo.gone == ["Go on."])

    async def test_one_of_two_can_be_stopped(self, exo):
        exo.answers["Go on."] = (event({"content": "So far"}), HOLD)
        ada = await visitor()
        run = await ask(ada, "Go on.", model_1=SMALL)
        await saying(run, "So far")
        first, second = await answers(run)
        await ada.post(f"{ASK}answers/{first.pk}/stop/", headers=WITH_SCRIPTS)

        async def only_first() -> bool:
            return [a.is_over for a in await answers(run)] == [True, False]

        await until(only_first)
        await ada.post(f"{ASK}answers/{second.pk}/stop/")
        await answered(run, Outcome.CANCELLED)

    async def test_a_failure_is_said_and_can_be_tried_again(self, exo):
        exo.answers["Hi."] = (event({"content": "Hel"}), CUT)
        ada = await visitor()
        run = await ask(ada, "Hi.")
        (failed,) = await answered(run, Outcome.FAILED)
        assert failed.text == "Hel"
        assert "Failed" in (await ada.get(f"{ASK}{run}/")).content.decode()
        del exo.answers["Hi."]
        await ada.post(f"{ASK}answers/{failed.pk}/retry/", headers=WITH_SCRIPTS)
        (again,) = await answered(run)
        assert (again.pk, again.text) == (failed.pk, "Hello there.")
        assert again.request_id != failed.request_id

    async def test_it_goes_on_when_nobody_looks(self, exo):
        exo.answers["Slowly."] = (event({"content": "One"}), 0.2, END, DONE)
        ada = await visitor()
        (answer,) = await answered(await ask(ada, "Slowly."))
        assert answer.text == "One End."

    async def test_when_the_process_stops_what_came_is_kept_as_interrupted(self, exo):
        exo.answers["Go on."] = (event({"content": "So far"}), HOLD)
        ada = await visitor()
        run = await ask(ada, "Go on.")
        await saying(run, "So far")
        await close_runs()
        (answer,) = await answered(run, Outcome.INTERRUPTED)
        assert answer.text == "So far"
        page = (await ada.get(f"{ASK}{run}/")).content.decode()
        assert "fleetweb was stopped while it was answered" in page

    async def test_one_whose_process_died_is_shown_as_interrupted(self):
        ada = await visitor()
        user = await User.objects.aget(username="ada")
        run = await PlaygroundRun.objects.acreate(user=user, title="Lost")
        turn = await PlaygroundTurn.objects.acreate(run=run, number=1, prompt="Lost?")
        await PlaygroundAnswer.objects.acreate(
            turn=turn,
            column=0,
            model=SMALL,
            reach="any",
            request_id="req_gone",
            status=Outcome.RUNNING,
            text="So far",
            seen_at=timezone.now() - timedelta(minutes=1),
        )
        page = (await ada.get(f"{ASK}{run.pk}/")).content.decode()
        assert "Interrupted: the process that ran it is gone." in page
        assert "So far" in page


class TestKeeping:
    async def test_nobody_sees_the_runs_of_others(self):
        ada, owner = await visitor(), await visitor("owner", is_superuser=True)
        run = await ask(ada, "My secret.")
        (answer,) = await answered(run)
        assert "My secret." in (await ada.get(ASK)).content.decode()
        assert "My secret." not in (await owner.get(ASK)).content.decode()
        for path in (
            f"{run}/",
            f"{run}/branch/1/",
            f"answers/{answer.pk}/code/",
        ):
            assert (await owner.get(f"{ASK}{path}")).status_code == 404, path
        for path in (
            f"{run}/",
            f"{run}/stop/",
            f"answers/{answer.pk}/stop/",
            f"answers/{answer.pk}/retry/",
        ):
            response = await owner.post(f"{ASK}{path}", {"prompt": "x", "model_0": SMALL})
            assert response.status_code == 404, path

    async def test_nobody_branches_off_or_deletes_the_runs_of_others(self):
        ada, eve = await visitor(), await visitor("eve")
        run = await ask(ada, "My secret.")
        await answered(run)
        form = {"prompt": "x", "model_0": SMALL, "branch": f"{run}:2"}
        for at in (ASK, f"{ASK}route/"):
            assert (await eve.post(at, form)).status_code == 404
        await eve.post(f"{ASK}delete/", {"run": run})
        await eve.post(f"{ASK}delete/", {"all": "yes"})
        assert await PlaygroundRun.objects.filter(pk=run).aexists()

    async def test_past_runs_are_found_by_what_was_asked_and_answered(self):
        ada = await visitor()
        for prompt in ("About beans.", "About roses."):
            await answered(await ask(ada, prompt))
        for words, found in (("roses", 1), ("about", 2), ("beans there", 1), ("tulips", 0)):
            page = (await ada.get(ASK, {"q": words})).content.decode()
            assert page.count('class="told"') == found, words

    async def test_many_past_runs_come_page_by_page(self):
        ada = await visitor()
        user, now = await User.objects.aget(username="ada"), timezone.now()
        for number in range(35):
            await PlaygroundRun.objects.acreate(
                user=user, title=f"Run {number}", updated_at=now - timedelta(minutes=number)
            )
        first = (await ada.get(ASK)).content.decode()
        assert first.count('class="told"') == 30
        older = first.partition("?before=")[2].partition('"')[0]
        second = (await ada.get(f"{ASK}?before={older}")).content.decode()
        assert second.count('class="told"') == 5
        assert "Run 34" in second

    async def test_deleting_removes_every_text(self, exo):
        ada = await visitor()
        run = await ask(ada, "Forget me.", temperature="0")
        (answer,) = await answered(run)
        assert await RequestText.objects.filter(pk=answer.request_id).aexists()
        await ada.post(f"{ASK}delete/", {"run": run})
        assert not await PlaygroundRun.objects.aexists()
        assert not await RequestText.objects.aexists()
        assert await RequestMetric.objects.filter(pk=answer.request_id).aexists()
        await answered(await ask(ada, "Forget me.", temperature="0"))
        assert len(exo.asked) == 2  # the gateway's memory of it is gone as well

    async def test_deleting_ends_what_is_under_way_and_leaves_nothing_behind(self, exo):
        exo.answers["Go on."] = (event({"content": "So far"}), HOLD)
        ada = await visitor()
        run = await ask(ada, "Go on.")
        await saying(run, "So far")
        await ada.post(f"{ASK}delete/", {"all": "yes"})
        await until(lambda: exo.gone == ["Go on."])
        await close_runs()
        assert not await PlaygroundRun.objects.aexists()
        assert not await RequestText.objects.aexists()

    async def test_a_branch_shares_what_was_before_and_lives_on_its_own(self, exo):
        ada = await visitor()
        run = await ask(ada, "First.")
        await answered(run)
        await ask(ada, "Second.", at=f"{ASK}{run}/")
        await answered(run)
        page = (await ada.get(f"{ASK}{run}/branch/2/")).content.decode()
        assert ">\nSecond.</textarea>" in page
        branch = await ask(ada, "Otherwise.", branch=f"{run}:2")
        first, second = await answered(branch)
        assert [first.turn.prompt, second.turn.prompt] == ["First.", "Otherwise."]
        assert len(exo.asked[-1]["messages"]) == 3
        await ada.post(f"{ASK}delete/", {"run": run})
        assert "Hello there." in (await ada.get(f"{ASK}{branch}/")).content.decode()

    async def test_the_same_can_be_had_as_code(self):
        ada = await visitor()
        (answer,) = await answered(await ask(ada, "It's <b>.", model_0=SMALL, reach_0="none"))
        page = (await ada.get(f"{ASK}answers/{answer.pk}/code/")).content.decode()
        for words in ("curl -N", "from openai import OpenAI", "new OpenAI", "X-Fleetweb-Fallback"):
            assert words in page
        assert "It&#x27;s &lt;b&gt;." in page
