"""The whole application under uvicorn, which holds senders back where Daphne does not.

`python -m tests.under_uvicorn URL` watches the exo at URL, and says where it listens as
`serve` does.
"""

import asyncio
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetweb.settings")

import uvicorn
from django.core.management import call_command

from fleetweb.asgi import application  # sets Django up
from fleetweb.core.roster import SOVEREIGN_FLEET
from fleetweb.fleet.poller import Poller
from fleetweb.fleet.worker import host
from fleetweb.gateway.running import close_gateway
from fleetweb.upstream import http


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[object] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(f"Control room: http://127.0.0.1:{port}/", flush=True)


async def main(url: str) -> None:
    watching = asyncio.create_task(host(Poller([url], SOVEREIGN_FLEET), application))
    config = uvicorn.Config(
        application,
        port=0,
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    try:
        await _Server(config).serve()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await close_gateway()
        await http.aclose()


if __name__ == "__main__":
    call_command("migrate", interactive=False, verbosity=0)
    asyncio.run(main(sys.argv[1]))
