"""`manage.py poller`: watch the fleet in a process of its own."""

import asyncio
import signal
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fleetweb.errors import ConfigError
from fleetweb.fleet import roster
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.worker import host
from fleetweb.upstream import http


class Command(BaseCommand):
    help = "Watches the fleet. Of any number of these, one polls; the next takes over if it dies."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if not settings.REDIS_URL:
            raise ConfigError(
                "A poller in a process of its own reaches the pages through Redis: set REDIS_URL. "
                "On one machine, `python manage.py serve` does all of it in one process."
            )
        urls = settings.FLEETWEB_EXO_URLS or (settings.DEFAULT_EXO_URL,)
        asyncio.run(_watch(Poller(urls, roster.load(settings.FLEETWEB_FLEET))))


async def _watch(poller: Poller) -> None:
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(host(poller, get_default_application()))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        return
    finally:
        await http.aclose()
    raise CommandError("The poller ended by itself.")
