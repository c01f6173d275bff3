"""`manage.py rehearse`: the rehearsal fleet by itself, until it is told to stop."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleetweb.errors import ConfigError
from fleetweb.rehearsal import Rehearsal, load_faults


class Command(BaseCommand):
    help = "Run a pretend exo fleet on loopback ports of its own."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--nodes", type=int, default=4, help="how many machines (4)")
        parser.add_argument("--port-base", type=int, default=0, help="first port (0: any free)")
        parser.add_argument("--faults", type=Path, help="TOML or JSON file of what goes wrong")
        parser.add_argument("--speed", type=float, default=1.0, help="2 lives twice as fast")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same choices")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            fleet = Rehearsal(
                nodes=options["nodes"],
                port_base=options["port_base"],
                seed=options["seed"],
                speed=options["speed"],
                quiet_life=True,
                faults=load_faults(options["faults"]) if options["faults"] else (),
            )
            asyncio.run(self._run(fleet))
        except ConfigError as error:
            raise CommandError(str(error)) from error

    async def _run(self, fleet: Rehearsal) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with fleet:
            for node in fleet.nodes:
                self.stdout.write(f"{node.name}: {node.url}")
            self.stdout.flush()
            await stopped.wait()
