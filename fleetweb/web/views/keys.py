"""The page of API keys: what there is, a new one, other limits, and an end to one.

Every form works by itself. With htmx they get the same piece of the page back, `keys/_keys.html`.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from fleetweb.fleet import live
from fleetweb.gateway.ledger import day_of, uses_since
from fleetweb.gateway.models import ApiKey

from ..access.owner import owner_only
from ..keys.cards import KeyCard, Uses, key_card
from ..keys.forms import LimitsForm, NewKeyForm


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was made just now, with the secret that nobody will see again."""

    name: str
    secret: str
    base_url: str


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key in use, and the form for its limits, which stands open where something is wrong."""

    card: KeyCard
    form: LimitsForm


@never_cache
@owner_only
@require_http_methods(["GET", "HEAD", "POST"])
def keys_page(request: HttpRequest) -> HttpResponse:
    """`/keys/`: all keys; POST makes one and shows its secret in the answer and nowhere else."""
    if request.method != "POST":
        return _page(request, new=NewKeyForm())
    form = NewKeyForm(request.POST)
    issued = form.issue()
    if issued is None:
        return _page(request, new=form)
    key, secret = issued
    base_url = request.build_absolute_uri("/v1")
    return _page(request, new=NewKeyForm(), issued=Issued(key.name, secret, base_url))


@never_cache
@owner_only
@require_POST
def key_limits(request: HttpRequest, pk: int) -> HttpResponse:
    """`POST /keys/<id>/`: other limits for a key, from its next request on."""
    key = get_object_or_404(ApiKey.objects.usable(), pk=pk)
    form = LimitsForm(request.POST, instance=key, auto_id=_ids(key))
    if not form.is_valid():
        return _page(request, wrong=form)
    form.save()
    return _done(request, f"The limits of {key.name} are changed.")


@never_cache
@owner_only
@require_POST
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """`POST /keys/<id>/revoke/`: shut a key for good, from this moment on."""
    key = get_object_or_404(ApiKey, pk=pk)
    key.revoke(timezone.now())
    return _done(request, f"{key.name} is revoked: it opens nothing any more.")


def _done(request: HttpRequest, said: str) -> HttpResponse:
    return _page(request, said=said) if request.htmx else redirect("keys")  # type: ignore[attr-defined]


def _page(
    request: HttpRequest,
    *,
    new: NewKeyForm | None = None,
    wrong: LimitsForm | None = None,
    issued: Issued | None = None,
    said: str = "",
) -> HttpResponse:
    """The whole page, or for htmx the piece of it that changes."""
    presence = live.seen()
    context: dict[str, Any] = {
        "new": new or NewKeyForm(),
        "issued": issued,
        "said": said,
        "rehearsal": presence is not None and presence.rehearsal,
        **_keys(wrong),
    }
    template = "keys/_keys.html" if request.htmx else "keys/page.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _keys(wrong: LimitsForm | None) -> dict[str, Any]:
    """Keys in use, each with its form (`wrong` is the one to be mended), and those revoked."""
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    today = day_of(now)
    uses = Uses(uses_since(today), uses_since(today.replace(day=1)))
    in_use, revoked = [], []
    for key in ApiKey.objects.all():
        if key.revoked_at:
            revoked.append(key_card(key, uses, now))
        elif wrong is not None and wrong.instance.pk == key.pk:
            in_use.append(OpenKey(key_card(key, uses, now), wrong))
        else:
            form = LimitsForm(instance=key, auto_id=_ids(key))
            in_use.append(OpenKey(key_card(key, uses, now), form))
    return {"in_use": in_use, "revoked": revoked}


def _ids(key: ApiKey) -> str:
    """Names for the boxes of one key's form: there are many forms on the page."""
    return f"key-{key.pk}-%s"
