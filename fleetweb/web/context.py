"""What every page needs to know."""

from django.http import HttpRequest

from fleetweb.fleet import live


def rehearsal(request: HttpRequest) -> dict[str, bool]:  # noqa: ARG001
    """Whether the machines are pretended: every page says so."""
    return {"rehearsal": live.is_rehearsal()}
