"""How long the past takes to be told, and how large it is: `python -m tests.bench history`.

It asks a history that is there, through Django's own test client: no network, the same middleware,
views and templates as ever. `manage.py seed_history` makes one. FLEETWEB_BENCH_DATA is its data
directory, and DATABASE_URL its address where it is not SQLite's; where none is given, one of
`--seed-requests` is made.

Each page is asked once with nothing remembered of the past at all, as of a process that has just
begun (`first_ms`), and once with what has long been over to be read again, as it is once in minutes
(`reread_ms`). Then `--times`, each time found anew, and each time once more: `again_` is what those
pay who ask the same within seconds. On a machine that does much else, `cpu_` says how long was
really worked on it.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

RANGES = ("15m", "1h", "6h", "24h", "7d", "30d", "90d")
BUDGET_MS = 100


def main(arguments: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m tests.bench history")
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed-requests", type=int, default=200_000)
    options = parser.parse_args(arguments)
    given = os.environ.get("FLEETWEB_BENCH_DATA")
    os.environ["FLEETWEB_DATA"] = given or tempfile.mkdtemp(prefix="fleetweb-bench-")
    os.environ["DJANGO_SETTINGS_MODULE"] = "fleetweb.settings"

    import django

    django.setup()
    import fleetweb.asgi  # noqa: F401  as those that serve do: it freezes what stays loaded

    if not given:
        _seed(options.seed_requests)
    return _measured(options.times)


def _seed(requests: int) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed_history", requests=requests, verbosity=0)


def _measured(times: int) -> dict[str, Any]:
    from django.db import connection

    from fleetweb.gateway.models import RequestMetric, Rollup

    asked = {address: _timed(address, times) for address in _addresses()}
    worst = max(asked, key=lambda address: asked[address]["p95_ms"])
    return {
        "database": connection.vendor,
        "requests": RequestMetric.objects.count(),
        "rollups": Rollup.objects.count(),
        "database_gb": round(_bytes() / 1e9, 2),
        "budget_ms": BUDGET_MS,
        "worst": {worst: asked[worst]},
        "within_budget": sum(told["p95_ms"] <= BUDGET_MS for told in asked.values()),
        "within_budget_of_cpu": sum(told["cpu_p95_ms"] <= BUDGET_MS for told in asked.values()),
        "within_budget_again": sum(told["again_p95_ms"] <= BUDGET_MS for told in asked.values()),
        "within_budget_reread": sum(told["reread_ms"] <= BUDGET_MS for told in asked.values()),
        "within_budget_at_first": sum(told["first_ms"] <= BUDGET_MS for told in asked.values()),
        "out_of": len(asked),
        "asked": asked,
    }


def _addresses() -> Iterator[str]:
    from fleetweb.gateway.models import RequestMetric
    from fleetweb.gateway.search import Cursor

    newest = RequestMetric.objects.order_by("-asked_at")[:1].get()
    day = (newest.asked_at - timedelta(days=40)).date()
    for since in RANGES:
        yield f"/api/nodes/king/latency?since={since}"
        yield f"/api/nodes/king/latency?since={since}&model=llama-3.2-8b-instruct-4bit"
        yield f"/nodes/king/?range={since}"
        yield f"/history/?range={since}"
        yield f"/history/?range={since}&by=model"
        yield f"/history/?range={since}&format=csv"
        yield f"/history/?range={since}&format=json"
    yield f"/api/nodes/king/latency?since={day}T06:00:00Z&until={day}T12:00:00Z"
    yield f"/history/?range=24h&model={newest.model}"
    yield "/nodes/king/?range=7d&by=model"
    yield "/history/?range=7d&table=king"
    yield f"/history/?from={day}T06:00&to={day}T12:00"
    for at in (f"{day}T12:00:00Z", f"{newest.asked_at:%Y-%m-%dT%H:%M:%SZ}"):
        yield f"/replay/?at={at}"
        yield f"/api/replay?at={at}"
    before = RequestMetric.objects.filter(asked_at__lt=newest.asked_at - timedelta(days=40))[0]
    yield f"/requests/?before={Cursor(before.asked_at, before.pk)}"
    yield f"/api/requests?before={Cursor(before.asked_at, before.pk)}"
    yield f"/requests/{newest.pk}/"
    yield f"/api/requests/{newest.pk}"
    for query in _queries(str(day)):
        yield f"/api/requests?limit=50&{query}"
        if "worked" not in query and "caller" not in query:
            yield f"/requests/?{query.replace('slower_than_ms=90000', 'slower_than=90')}"


def _queries(day: str) -> Iterator[str]:
    yield ""
    yield "node=king"
    yield "worked=king"
    yield "door=soldier3&status=failed"
    yield "status=failed"
    yield "status=ok&provider=exo"
    yield "status=running"
    yield "provider=claude"
    yield "provider=claude&status=failed"
    yield "model=DeepSeek-V3.1-4bit"
    yield "model=DeepSeek-V3.1-4bit&door=king"
    yield "model=nothing-of-the-kind"
    yield "caller=ada"
    yield "cached=true"
    yield "slower_than_ms=90000"
    yield "decision=fallback"
    yield "decision=lowest_load"
    yield "fallback=yes"
    yield "node=king&model=DeepSeek-V3.1-4bit&status=failed&slower_than_ms=90000"
    yield f"until={day}"
    yield f"since={day}&status=cancelled"


def _timed(address: str, times: int) -> dict[str, float | int]:
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from fleetweb.web.cards.history import recent

    client = Client(headers={"host": "localhost"})
    client.get(f"/?token={settings.FLEETWEB_TOKEN}")
    with CaptureQueriesContext(connection):
        answer = client.get(address)
        number_of_queries = len(connection.queries_log)
    if answer.status_code != 200:
        raise SystemExit(f"{address} answers {answer.status_code}.")
    _forget_all()
    first_ms = _took_ms(client, address)
    _forget_what_was_read()
    reread_ms = _took_ms(client, address)
    took_ms, cpu_ms, again_ms = [], [], []
    for _ in range(times):
        recent.forget()
        cpu_began = time.process_time()
        took_ms.append(_took_ms(client, address))
        cpu_ms.append((time.process_time() - cpu_began) * 1000)
        again_ms.append(_took_ms(client, address))
    return {
        "p50_ms": round(statistics.median(took_ms), 1),
        "p95_ms": _p95(took_ms),
        "cpu_p50_ms": round(statistics.median(cpu_ms), 1),
        "cpu_p95_ms": _p95(cpu_ms),
        "again_p95_ms": _p95(again_ms),
        "reread_ms": round(reread_ms, 1),
        "first_ms": round(first_ms, 1),
        "queries": number_of_queries,
        "bytes": len(answer.content),
    }


def _took_ms(client: Any, address: str) -> float:
    began = time.perf_counter()
    client.get(address)
    return (time.perf_counter() - began) * 1000


def _forget_what_was_read() -> None:
    from fleetweb.fleet import series as of_machines
    from fleetweb.gateway import answers, series
    from fleetweb.web.cards.history import recent

    recent.forget()
    for module in (of_machines, series, answers):
        module._settled.forget()


def _forget_all() -> None:
    """What was worked out of it as well."""
    from fleetweb.fleet import series as of_machines
    from fleetweb.gateway import answers, points
    from fleetweb.web.cards.history import bands

    _forget_what_was_read()
    for worked_out in (
        of_machines._reading,
        points.point,
        points.merged,
        answers._slot,
        bands._cell,
        bands._told,
    ):
        worked_out.cache_clear()


def _p95(values: list[float]) -> float:
    return round(statistics.quantiles(values, n=20)[-1], 1)


def _bytes() -> int:
    from django.db import connection

    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size: int = cursor.fetchone()[0]
    return size
