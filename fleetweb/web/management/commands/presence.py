"""`manage.py presence`: the fleet in a terminal."""

import asyncio
import shutil
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fleetweb import env
from fleetweb.errors import ClusterError, ClusterReplyInvalid, ClusterUnreachable
from fleetweb.upstream import http
from fleetweb.web.terminal import Fleet, box

ANSWERS_WITHIN_S = 5.0
REDRAWN_EVERY_S = 1.0
HOME_AND_CLEAR = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    help = "Prints what every machine is doing, as a running control room sees it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="once a second, until Ctrl-C")
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000", help="address of the control room"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        url = env.checked_url("--url", options["url"])
        try:
            asyncio.run(self._watch(url) if options["watch"] else self._once(url))
        except KeyboardInterrupt:
            return
        except ClusterError as error:
            advice = "Start it with `python manage.py serve`, or give its address with --url."
            raise CommandError(f"{error} {advice}") from error

    async def _once(self, url: str) -> None:
        try:
            self.stdout.write(_drawn(await _ask(url)))
        finally:
            await http.aclose()

    async def _watch(self, url: str) -> None:
        """Goes on when the control room is away for a while, and says so."""
        try:
            self.stdout.write(HOME_AND_CLEAR + _drawn(await _ask(url)))
            while True:
                await asyncio.sleep(REDRAWN_EVERY_S)
                try:
                    drawn = _drawn(await _ask(url))
                except ClusterError as error:
                    self.stdout.write(f"{error} Trying again…")
                else:
                    self.stdout.write(HOME_AND_CLEAR + drawn)
        finally:
            await http.aclose()


async def _ask(url: str) -> Fleet:
    whom = f"The control room at {url}"
    headers = {"Authorization": f"Bearer {settings.FLEETWEB_TOKEN}"}
    faults = http.faults(whom, unreachable=ClusterUnreachable, invalid=ClusterReplyInvalid)
    with faults:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            answer = await http.client().get(f"{url}/api/presence", headers=headers)
            answer.raise_for_status()
    try:
        return msgspec.json.decode(answer.content, type=Fleet)
    except msgspec.MsgspecError as error:
        raise ClusterReplyInvalid(f"{whom} did not answer as a control room does") from error


def _drawn(fleet: Fleet) -> str:
    return box(fleet, shutil.get_terminal_size().columns)
