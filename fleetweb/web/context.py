"""What every page needs to know."""

from django.conf import settings
from django.http import HttpRequest

from fleetweb.fleet import live


def rehearsal(request: HttpRequest) -> dict[str, bool]:  # noqa: ARG001
    """Whether the machines are pretended: every page says so."""
    return {"rehearsal": live.is_rehearsal()}


def zone(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001
    """The owner's time zone, in which pages of the past tell all their times."""
    return {"zone": settings.TIME_ZONE}
