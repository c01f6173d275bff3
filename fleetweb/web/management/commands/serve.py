"""`manage.py serve`: the whole control room in one process."""

import asyncio
import fcntl
import webbrowser
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlencode

from channels.routing import get_default_application
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseTrouble
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from fleetweb import env
from fleetweb.errors import ClusterError, ConfigError
from fleetweb.fleet import roster
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.worker import host as host_poller
from fleetweb.gateway.running import close_gateway, gateway
from fleetweb.rehearsal import Rehearsal
from fleetweb.upstream import http
from fleetweb.upstream.exo import Exo
from fleetweb.web.playground.runs import close_runs

FOUND_WITHIN_S = 1.0
LAST_PORT = 65535
ANY_HOST = ("0.0.0.0", "::", "")  # noqa: S104  recognised, not chosen


class Command(BaseCommand):
    help = "Opens the control room: pages, poller and database in one process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any free")
        parser.add_argument(
            "--exo",
            action="append",
            metavar="URL",
            default=[],
            help="an exo address; repeat it for further doors or clusters",
        )
        parser.add_argument("--rehearsal", action="store_true", help="a pretend fleet to look at")
        parser.add_argument("--open", action="store_true", help="open the browser")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        # Only now: importing it installs a Twisted reactor.
        from fleetweb.web.serving import serve

        if not 0 <= options["port"] <= LAST_PORT:
            raise ConfigError(f"--port is {options['port']}: it wants 0 to {LAST_PORT}.")
        urls = [env.checked_url("--exo", url) for url in options["exo"]]
        if options["rehearsal"] and urls:
            self.stderr.write("--rehearsal is given, so --exo is not used.")
        fleet = roster.load(settings.FLEETWEB_FLEET)
        urls = [] if options["rehearsal"] else urls or asyncio.run(_exo_to_watch())
        _remember(rehearsing=not urls)
        _migrate()
        _answer_to(options["host"])

        def ready(port: int) -> None:
            address = _address(options["host"], port)
            self.stdout.write(f"Control room: {address}")
            self.stdout.flush()
            if options["open"]:
                webbrowser.open(address)

        application = get_default_application()
        around = _watching(urls, fleet, application)
        serve(application, options["host"], options["port"], around, ready)


@asynccontextmanager
async def _watching(
    urls: list[str], fleet: tuple[Any, ...], application: Any
) -> AsyncIterator[None]:
    """The poller at work, on exo at `urls`, or on a rehearsal of it where there are none."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(http.aclose)
        stack.push_async_callback(close_gateway)
        stack.push_async_callback(close_runs)
        gateway()  # now, so that what a sudden end left open is told at once
        rehearsing = not urls
        if rehearsing:
            stack.enter_context(_rehearsal_marked())
            pretended = await stack.enter_async_context(Rehearsal(quiet_life=True))
            urls = pretended.urls[:1]
        poller = Poller(urls, fleet, rehearsal=rehearsing)
        watching = asyncio.create_task(host_poller(poller, application))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _exo_to_watch() -> list[str]:
    """The addresses in the settings, else exo on this machine, if it answers."""
    if settings.FLEETWEB_EXO_URLS:
        return list(settings.FLEETWEB_EXO_URLS)
    try:
        await Exo(settings.DEFAULT_EXO_URL).node_id(timeout_s=FOUND_WITHIN_S)
    except ClusterError:
        return []
    finally:
        await http.aclose()
    return [settings.DEFAULT_EXO_URL]


def _remember(*, rehearsing: bool) -> None:
    """Write into the history of the real machines, or into that of the pretended ones."""
    if not rehearsing:
        _forget_mark()
    database = connections.settings["default"]
    if database["NAME"] in (settings.HISTORY, settings.REHEARSAL_HISTORY):
        database["NAME"] = settings.REHEARSAL_HISTORY if rehearsing else settings.HISTORY


@contextmanager
def _rehearsal_marked() -> Iterator[None]:
    """Commands of this data directory talk to the rehearsal's history for as long as it runs."""
    with settings.REHEARSING.open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(mark, fcntl.LOCK_UN)
            _forget_mark()


def _forget_mark() -> None:
    """Unless another rehearsal still holds it; one that was killed holds nothing."""
    try:
        with settings.REHEARSING.open() as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            settings.REHEARSING.unlink(missing_ok=True)
    except (FileNotFoundError, BlockingIOError):
        return


def _migrate() -> None:
    """Bring the database up to date; asking first is ten times cheaper than doing nothing."""
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            with (settings.FLEETWEB_DATA / "migrating").open("w") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)  # of two that start at once, the other is done
                call_command("migrate", interactive=False, verbosity=0)
        connection.close()
    except DatabaseTrouble as error:
        said = " ".join(str(error).split())
        raise ConfigError(
            f"The database can't be used: {said}. It is the one that DATABASE_URL names, or else"
            " the SQLite file in FLEETWEB_DATA."
        ) from error


def _answer_to(host: str) -> None:
    """An address that its owner listens on is one that they mean to open."""
    if host not in (*ANY_HOST, *settings.ALLOWED_HOSTS):
        settings.ALLOWED_HOSTS.append(f"[{host}]" if ":" in host else host)


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ANY_HOST else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/?{urlencode({'token': settings.FLEETWEB_TOKEN})}"
