"""Whether the process serves, and the fleet's figures for Prometheus."""

import logging

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseTrouble
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from fleetweb.fleet import live
from fleetweb.fleet.once import Once

from .. import metrics_gateway
from ..metrics import exposition

once = Once(logging.getLogger(__name__))


@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """`GET /healthz`: whether pages can be served. Open to all, so it says nothing else."""
    try:
        await sync_to_async(_ask_database)()
    except DatabaseTrouble as error:  # asked every few seconds, said once
        once.warn("database", f"The database does not answer: {error}".strip())
        return JsonResponse({"status": "not ok"}, status=503)
    once.well("database", "The database answers again.")
    return JsonResponse({"status": "ok"})


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """`GET /metrics`, in Prometheus' text format."""
    shown = exposition(await live.watched(timezone.now())) + metrics_gateway.exposition()
    return HttpResponse(shown, content_type=CONTENT_TYPE_LATEST)


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
