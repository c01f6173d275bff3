"""`manage.py rollup`: add requests up anew from their rows."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from fleetweb.core.when import WRITTEN_AS, when
from fleetweb.gateway import rollups


class Command(BaseCommand):
    help = (
        "Add up anew what was asked since then, day by day. It may run while requests are answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, metavar="WHEN", help=WRITTEN_AS)

    def handle(self, *_: Any, **options: Any) -> None:
        now, zone = timezone.now(), timezone.get_default_timezone()
        try:
            since = when(options["since"], now, zone)
        except ValueError as error:
            raise CommandError(f"--since wants {WRITTEN_AS}.") from error
        if since >= now:
            raise CommandError("--since wants a time that has been.")
        for day, counted in rollups.rebuild(since, now):
            self.stdout.write(f"{day.astimezone(zone):%Y-%m-%d}: {counted:,} requests")
