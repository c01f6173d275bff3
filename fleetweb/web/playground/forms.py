"""The composer: a prompt, its parameters, and up to four who are to answer it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django import forms

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.gateway.caller import Reach

from .asking import BEST, TARGETS_AT_MOST, Target
from .shelf import Asked

Choices = Sequence[tuple[str, str | list[tuple[str, str]]]]

PROMPT_CHARS: Final = 1_000_000
NOBODY: Final = ""
STRATEGIES: Final = [
    ("", "As the fleet does"),
    *((one.value, one.value.replace("_", " ").capitalize()) for one in LoadBalanceStrategy),
]
REACHES: Final = [
    (Reach.ANY.value, "Anyone may stand in"),
    (Reach.LOCAL.value, "Not out of the house"),
    (Reach.NONE.value, "The fleet only"),
]
PARAMS: Final = ("temperature", "top_p", "max_tokens", "seed", "stop")


class Composer(forms.Form):
    prompt = forms.CharField(
        label="Prompt",
        max_length=PROMPT_CHARS,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "Ask the fleet…", "dir": "auto"}),
        error_messages={"required": "There is no prompt yet. Write one."},
    )
    system = forms.CharField(
        label="System prompt",
        max_length=PROMPT_CHARS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
    temperature = forms.FloatField(label="Temperature", required=False, min_value=0, max_value=2)
    top_p = forms.FloatField(label="Top p", required=False, min_value=0, max_value=1)
    max_tokens = forms.IntegerField(
        label="Tokens at most", required=False, min_value=1, max_value=1_000_000
    )
    seed = forms.IntegerField(label="Seed", required=False, min_value=-(2**63), max_value=2**63 - 1)
    stop = forms.CharField(
        label="Stop at",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 1}),
        help_text="One text a line.",
    )
    afresh = forms.BooleanField(label="Ask afresh, even what was answered before", required=False)

    def __init__(self, models: Choices, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(TARGETS_AT_MOST):
            self._add_target(number, models)
        for name in PARAMS:
            if not isinstance(self.fields[name].widget, forms.Textarea):
                plain = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
                self.fields[name].widget = plain

    def _add_target(self, number: int, models: Choices) -> None:
        options = models if number == 0 else [(NOBODY, "Nobody"), *models]
        self.fields[f"model_{number}"] = _Chosen(options, "Model", required=number == 0)
        self.fields[f"strategy_{number}"] = _Chosen(STRATEGIES, "Strategy")
        self.fields[f"reach_{number}"] = _Chosen(REACHES, "If the fleet can't")

    @property
    def targets(self) -> list[tuple[int, list[forms.BoundField]]]:
        """The boxes of each target, for the template."""
        names = ("model", "strategy", "reach")
        return [
            (number + 1, [self[f"{name}_{number}"] for name in names])
            for number in range(TARGETS_AT_MOST)
        ]

    @property
    def compares(self) -> bool:
        """Whether more than one is to answer."""
        return any(self[f"model_{number}"].value() for number in range(1, TARGETS_AT_MOST))

    @property
    def tunes(self) -> bool:
        """Whether any parameter is set, or wrong."""
        names = (*PARAMS, "afresh")
        return any(self[name].value() or self[name].errors for name in names)

    def asked(self, branch: tuple[str, int] | None = None) -> Asked:
        """What the form says, once it is valid."""
        given = self.cleaned_data
        params = {name: given[name] for name in PARAMS if given[name] not in (None, "")}
        if "stop" in params:
            params["stop"] = [line for line in params["stop"].splitlines() if line]
        return Asked(given["prompt"], given["system"], params, tuple(self._targets()), branch)

    def _targets(self) -> Iterable[Target]:
        given = self.cleaned_data
        for number in range(TARGETS_AT_MOST):
            if model := given[f"model_{number}"]:
                strategy = given[f"strategy_{number}"]
                yield Target(
                    model,
                    LoadBalanceStrategy(strategy) if strategy else None,
                    Reach(given[f"reach_{number}"] or Reach.ANY),
                    given["afresh"],
                )


class _Chosen(forms.ChoiceField):
    """One of `choices`. A model may have gone since the page was drawn, and is asked for still."""

    def __init__(self, choices: Choices, label: str, *, required: bool = False) -> None:
        super().__init__(choices=choices, label=label, required=required)
        self._free = label == "Model"

    def valid_value(self, value: Any) -> bool:
        return (self._free and len(str(value)) <= 200) or super().valid_value(value)


def model_choices(entries: Iterable[Mapping[str, Any]]) -> Choices:
    """`GET /v1/models`' entries as options: what is loaded, what could be, who stands in."""
    groups: dict[str, list[tuple[str, str]]] = {"Loaded": [], "To be loaded first": []}
    for entry in entries:
        if entry["provider"] != "exo":
            continue  # they stand in by what their owner named, and can't be asked for by name
        group = "Loaded" if entry.get("loaded") else "To be loaded first"
        groups[group].append((entry["id"], entry["id"].rpartition("/")[2]))
    best: Choices = [(BEST, "Best available")]
    return [*best, *((name, options) for name, options in groups.items() if options)]
