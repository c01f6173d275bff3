"""What may be asked of the history of requests, in an address and in a form alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from fleetweb.core.naming import full_id
from fleetweb.core.streams import Outcome
from fleetweb.fleet.models import Node
from fleetweb.gateway.models import ApiKey, RollupSubject
from fleetweb.gateway.search import Cursor, Search
from fleetweb.gateway.subjects import Subjects

from ..access.owner import is_owner
from ..asked import BadParameter, yes_or_no
from ..cards.holds import OUTCOMES
from .why import DECISIONS

PROVIDERS = ("exo", "ollama", "gemini", "claude")
CACHED = "cached"
ANY = ("", "any")
LOCAL_TIME = "%Y-%m-%dT%H:%M:%S"


class LocalTime(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": "1"}, format=LOCAL_TIME)


class Choice(forms.ChoiceField):
    default_error_messages = {
        "invalid_choice": "There is no “%(value)s” here. Choose one of the list."
    }


class YesOrNo(Choice):
    """Takes what the API takes, `true` and `1` too, and shows it as the yes or no it is."""

    def to_python(self, value: Any) -> str:
        return _yes_or_no(super().to_python(value))

    def bound_data(self, data: Any, initial: Any) -> Any:
        return _yes_or_no(super().bound_data(data, initial) or "")


def _yes_or_no(written: str) -> str:
    try:
        said = yes_or_no({"said": written}, "said")
    except BadParameter:
        return written
    return "" if said is None else "yes" if said else "no"


def _choices(names: Iterable[str]) -> list[tuple[str, str]]:
    return [ANY, *((name, name) for name in names)]


class SearchForm(forms.Form):
    """Everything is optional. Times are of the owner's clock.

    In addresses `node` is another name of `worked`, from when there was no other; programs mean
    the door by it, so the form writes it no more.
    """

    worked = forms.CharField(label="Machine that worked, or door", required=False, max_length=200)
    door = forms.CharField(label="Door it was asked at", required=False, max_length=200)
    provider = Choice(label="Provider", required=False, choices=_choices(PROVIDERS))
    model = forms.CharField(
        label="Model",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"list": "models", "autocomplete": "off"}),
    )
    key = forms.CharField(label="API key", required=False, max_length=100)
    status = Choice(
        label="How it ended",
        required=False,
        choices=[
            ANY,
            *((outcome.value, look.word) for outcome, look in OUTCOMES.items()),
            (Outcome.WAITING.value, "Still waiting"),
            (Outcome.RUNNING.value, "Still in hand"),
            (CACHED, "Answered from memory"),
        ],
    )
    since = forms.DateTimeField(
        label="Asked from",
        required=False,
        widget=LocalTime(),
        error_messages={"invalid": "Write a date and a time, such as 2026-11-23 14:32."},
    )
    until = forms.DateTimeField(
        label="Asked before",
        required=False,
        widget=LocalTime(),
        error_messages={"invalid": "Write a date and a time, such as 2026-11-23 14:32."},
    )
    slower_than = forms.FloatField(
        label="Slower than, in seconds",
        required=False,
        min_value=0,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            "invalid": "Write a number of seconds, such as 30 or 2.5.",
            "min_value": "Write a number of seconds, such as 30 or 2.5.",
        },
    )
    decision = Choice(
        label="Went there because",
        required=False,
        choices=[ANY, *((str(decision), told) for decision, told in DECISIONS.items())],
    )
    fallback = YesOrNo(
        label="Somebody else stood in",
        required=False,
        choices=[ANY, ("yes", "yes"), ("no", "no")],
    )

    def __init__(self, data: QueryDict, user: User) -> None:
        super().__init__(_renamed(data), auto_id="find-%s")
        self._workers = [name for name in (data.get("worked"), data.get("node")) if name]
        self.user = user
        self.models: tuple[str, ...] = _known_models()
        machines = list(Node.objects.values_list("name", flat=True))
        self._offer("worked", [*machines, *self._workers])
        self._offer("door", machines)
        self._keys: dict[str, int] = {}
        if is_owner(user):
            self._keys = dict(ApiKey.objects.values_list("name", "pk"))
            self._offer("key", self._keys)
        else:
            del self.fields["key"]
        self._keep_what_was_written()

    def _keep_what_was_written(self) -> None:
        """Also where it makes no sense: lists and boxes for times would throw it away."""
        for bound in self:
            if not bound.errors:
                continue
            widget = bound.field.widget
            described = f"{bound.auto_id}-wrong"
            widget.attrs |= {"aria-invalid": "true", "aria-describedby": described}
            if isinstance(widget, LocalTime):
                widget.input_type = "text"
            elif isinstance(bound.field, forms.ChoiceField) and isinstance(widget, forms.Select):
                written = self.data[bound.name]
                widget.choices = [*widget.choices, (written, written)]

    def _offer(self, name: str, values: Iterable[str]) -> None:
        """The names there are, and the one that was asked for even if there is none of it."""
        asked = self.data.get(name, "")
        names = dict.fromkeys([*values, *([asked] if asked else [])])
        self.fields[name].widget = forms.Select(choices=_choices(names))

    def clean_worked(self) -> str:
        if len(set(self._workers)) > 1:
            raise forms.ValidationError(
                "The address asks for another besides, as “node”. Choose one."
            )
        worked: str = self.cleaned_data["worked"]
        return worked

    def clean_key(self) -> int | None:
        name = self.cleaned_data["key"]
        if name and name not in self._keys:
            raise forms.ValidationError(f"There is no API key called “{name}”.")
        return self._keys.get(name)

    def clean_model(self) -> str:
        """Its full id, also where it was written as people say it."""
        written: str = self.cleaned_data["model"].strip()
        return full_id(written, self.models) or written

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until <= since:
            self.add_error("until", "This is not after the beginning.")
        return self.cleaned_data

    @property
    def search(self) -> Search | None:
        """What to look for; None, and errors to show, where something can't be understood."""
        if not self.is_valid():
            return None
        asked = self.cleaned_data
        slower_than = asked["slower_than"]
        return Search(
            node=asked["worked"],
            door=asked["door"],
            provider=asked["provider"],
            model=asked["model"],
            key_id=asked.get("key"),
            caller="" if is_owner(self.user) else self.user.get_username(),
            status="" if asked["status"] == CACHED else asked["status"],
            cached=True if asked["status"] == CACHED else None,
            since=asked["since"],
            until=asked["until"],
            slower_than_ms=None if slower_than is None else slower_than * 1000,
            decision=asked["decision"],
            fell_back={"yes": True, "no": False}.get(asked["fallback"]),
        )

    @property
    def address(self) -> str:
        """What was filled in, as a query of an address."""
        query = QueryDict(mutable=True)
        query.update({name: self.data[name] for name in self.fields if self.data.get(name)})
        return query.urlencode()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the results a page begins; `wrong` where that can't be read."""

    before: Cursor | None = None
    wrong: str = ""


def place_of(data: QueryDict) -> Place:
    written = data.get("before", "")
    if not written:
        return Place()
    try:
        return Place(Cursor.parse(written))
    except ValueError:
        return Place(wrong="The address names no place in this list, so it begins with the newest.")


def _renamed(data: QueryDict) -> QueryDict:
    """With `worked` for `node`, where nothing else is asked for by that name."""
    renamed = data.copy()
    if node := renamed.get("node"):
        renamed["worked"] = renamed.get("worked") or node
    return renamed


def _known_models() -> tuple[str, ...]:
    return Subjects.read().names(RollupSubject.MODEL)
