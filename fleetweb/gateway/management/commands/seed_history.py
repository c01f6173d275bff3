"""`manage.py seed_history`: a past that never was, to develop and measure with."""

import time
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from fleetweb.fleet import seeding as machines
from fleetweb.fleet.models import NodeSample
from fleetweb.gateway.bulk import Table
from fleetweb.gateway.invention import SEEDED
from fleetweb.gateway.models import RequestMetric
from fleetweb.gateway.seeding import Seeding

MOST_DAYS: Final = 3650
_HELP = """Write a believable history that never was, straight into rows and rollups.

Its requests have the process "seed". Machines have spans of presence and figures every ten minutes,
of the newest day every ten seconds.
Where a history is kept already, nothing is written: use an empty database, or --force."""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--requests", type=int, default=100_000, help="how many (100,000)")
        parser.add_argument("--days", type=int, default=90, help="over so many days (90)")
        parser.add_argument("--nodes", type=int, default=16, help="by so many machines (16)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same history")
        parser.add_argument("--force", action="store_true", help="write beside what is kept")

    def handle(self, *_: Any, **options: Any) -> None:
        for name, least in (("requests", 1), ("days", 1), ("nodes", 4)):
            if options[name] < least:
                raise CommandError(f"--{name} wants {least} or more.")
        if options["days"] > MOST_DAYS:
            raise CommandError(f"--days wants {MOST_DAYS:,} or fewer, which are ten years.")
        if not options["force"]:
            _refuse_if_kept()
        began, now = time.monotonic(), timezone.now()
        nodes = machines.machines(options["nodes"])
        seeding = Seeding(
            machines.clusters_of(nodes),
            options["requests"],
            options["days"],
            now,
            seed=options["seed"],
            beside=RequestMetric.objects.exists(),
        )
        samples = Table(NodeSample, without=("id",))
        absences = machines.seed(nodes, seeding.since, seeding.until, options["seed"], samples)
        told = self._tell if options["verbosity"] > 1 else _say_nothing
        written = seeding.run(absences, told)
        _look_over()
        took_s = time.monotonic() - began
        self.stdout.write(f"{written:,} requests over {options['days']} days in {took_s:.0f} s.")

    def _tell(self, at: datetime, written: int) -> None:
        if at.hour == 0:
            self.stdout.write(f"{at:%Y-%m-%d}: {written:,}")
            self.stdout.flush()


def _say_nothing(_at: datetime, _written: int) -> None:
    return


def _look_over() -> None:
    """PostgreSQL plans by what it last saw, and looks only now and then by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _refuse_if_kept() -> None:
    if RequestMetric.objects.exclude(process=SEEDED).exists():
        raise CommandError(
            "There is a real history here. Point DATABASE_URL or FLEETWEB_DATA at an empty "
            "database, or write beside it with --force."
        )
    if RequestMetric.objects.exists():
        raise CommandError("There is an invented history here already; --force writes another.")
