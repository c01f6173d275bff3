"""Ending a request from the control room."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from fleetweb.gateway.running import gateway

from ..access.owner import is_owner
from ..access.refusals import error

OWNERS_ALONE = "Only the owner may end other people's requests."


@require_POST
async def cancel(request: HttpRequest, request_id: str) -> HttpResponse:
    """`POST /requests/<id>/cancel/`: close its connection, which is what stops exo's runner.

    The holds show what came of it; one that is over already stays as it was.
    """
    if not is_owner(await request.auser()):
        return error(403, OWNERS_ALONE, "permission_error", "not_the_owner")
    await gateway().desk.cancel(request_id)
    return HttpResponse(status=204) if request.htmx else redirect("room")  # type: ignore[attr-defined]
