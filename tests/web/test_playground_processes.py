"""The playground over several web processes: asked in one, followed and ended through another."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2 as httpx
import psycopg
import pytest
from websockets.sync.client import ClientConnection, connect

from fleetweb.rehearsal import SMALL
from tests.processes import Process, eventually
from tests.scripted_exo import DONE, HELLO, HOLD, PAUSE, USAGE, InBackground, ScriptedExo, event

from .grown import BEARER, grown, pages, shared
from .v1_door import is_loaded

pytestmark = grown

SO_FAR = event({"content": "So far"})
END = (event({"content": ", so good."}, finish_reason="stop", usage=USAGE), DONE)
DEADLINE_S = 30


@dataclass(frozen=True)
class Desk:
    """A browser at one of the web processes."""

    address: str

    def ask(self, prompt: str) -> str:
        """The run that was begun."""
        answer = self.post("", prompt=prompt, model_0=SMALL)
        return re.fullmatch(r"/playground/(\w+)/", answer.headers["HX-Redirect"])[1]

    def post(self, path: str, **form: str) -> httpx.Response:
        """As a page with scripts does."""
        headers = {**BEARER, "HX-Request": "true"}
        url = f"{self.address}/playground/{path}"
        answer = httpx.post(url, data=form, headers=headers, timeout=DEADLINE_S, trust_env=False)
        assert answer.status_code in (200, 204, 302), answer.text
        return answer

    def page(self, run: str) -> str:
        url = f"{self.address}/playground/{run}/"
        return httpx.get(url, headers=BEARER, timeout=DEADLINE_S, trust_env=False).text

    def follow(self, run: str) -> ClientConnection:
        url = f"{self.address.replace('http', 'ws', 1)}/ws/playground/{run}/"
        return connect(url, additional_headers=BEARER, proxy=None, open_timeout=DEADLINE_S)


@dataclass(frozen=True)
class House:
    """An exo, its poller, and two web processes; `env` is for more of them."""

    env: dict[str, str]
    background: InBackground
    here: Desk
    there: Desk
    database: psycopg.Connection

    @property
    def exo(self) -> ScriptedExo:
        return self.background.thing

    def count(self, table: str, where: str, *values: str) -> int:
        query = f"SELECT count(*) FROM {table} WHERE {where}"
        (found,) = self.database.execute(query, values).fetchone()
        return found

    def texts(self, prompt: str) -> int:
        """How many requests are stored with what was asked."""
        return self.count("gateway_requesttext", "messages::text LIKE %s", f"%{prompt}%")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("house")
    with ExitStack() as stack:
        env = stack.enter_context(shared(data / "migrate"))
        background = InBackground(ScriptedExo())
        exo = stack.enter_context(background)
        _, here = stack.enter_context(pages("daphne", data / "here", env))
        _, there = stack.enter_context(pages("uvicorn", data / "there", env))
        watched = {**env, "FLEETWEB_EXO_URLS": exo.url}
        stack.enter_context(Process.manage("poller", data=data / "poller", **watched))
        eventually(lambda: is_loaded(here, SMALL))
        database = stack.enter_context(psycopg.connect(env["DATABASE_URL"], autocommit=True))
        yield House(env, background, Desk(here), Desk(there), database)


def hears(opened: ClientConnection, words: str) -> str:
    """The first message of a run's socket with `words` in it."""
    while words not in (message := str(opened.recv(DEADLINE_S))):
        pass
    return message


def test_it_grows_on_the_pages_of_every_process(house):
    house.exo.answers["Grow."] = (SO_FAR, PAUSE, *END)
    run = house.here.ask("Grow.")
    with house.there.follow(run) as there, house.here.follow(run) as here:
        for opened in (there, here):
            hears(opened, "So far")
        eventually(lambda: "So far" in house.there.page(run))
        house.background.call(house.exo.go_on())
        for opened in (there, here):
            hears(opened, "data-over")
    for desk in (house.here, house.there):
        assert "So far, so good." in desk.page(run)


def test_it_is_stopped_and_asked_again_through_another(house):
    house.exo.answers["Stop."] = (SO_FAR, HOLD)
    run = house.here.ask("Stop.")
    with house.there.follow(run) as there, house.here.follow(run) as here:
        hears(there, "So far")
        house.there.post(f"{run}/stop/")
        for opened in (there, here):
            hears(opened, "Stopped.")
        eventually(lambda: "Stop." in house.exo.gone)
        house.exo.answers["Stop."] = HELLO
        answer = re.search(r'id="a(\d+)"', house.there.page(run))[1]
        house.there.post(f"answers/{answer}/retry/")
        for opened in (there, here):
            hears(opened, "Hello there.")


def test_what_is_deleted_through_another_ends_and_leaves_no_text(house):
    house.exo.answers["Forget me."] = (SO_FAR, HOLD)
    run = house.here.ask("Forget me.")
    with house.here.follow(run) as here:
        hears(here, "So far")
        house.there.post("delete/", run=run)
        hears(here, "has been deleted")
    eventually(lambda: "Forget me." in house.exo.gone)
    # What was on its way is written by now: another answer of that process has been, since.
    house.here.ask("Remember me.")
    eventually(lambda: house.texts("Remember me."))
    eventually(lambda: not house.texts("Forget me."))
    assert not house.count("web_playgroundrun", "id = %s", run)


def test_another_says_so_when_the_process_that_answered_is_killed(house, tmp_path):
    house.exo.answers["Die."] = (SO_FAR, HOLD)
    with pages("uvicorn", tmp_path, house.env) as (process, address):
        run = Desk(address).ask("Die.")
        with house.there.follow(run) as there:
            hears(there, "So far")
            of_run = "web_playgroundanswer a JOIN web_playgroundturn t ON a.turn_id = t.id"
            eventually(lambda: house.count(of_run, "t.run_id = %s AND text <> ''", run))
            process.stop(signal.SIGKILL)
            assert "So far" in hears(there, "Interrupted")
    assert "So far" in house.here.page(run)
