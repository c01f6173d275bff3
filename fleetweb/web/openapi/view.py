"""`GET /api/openapi.json`."""

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from .document import document


@require_safe
async def openapi(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    return HttpResponse(msgspec.json.encode(document()), content_type="application/json")
