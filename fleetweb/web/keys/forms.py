"""What the owner may write about a key: its name, once, and its limits, whenever they like."""

from typing import Any

from django import forms

from fleetweb.gateway.key_models import NAME_WANTED, ApiKey

LIMITS = ("requests_per_minute", "tokens_per_day", "usd_per_month", "local_only")


class Figure(forms.TextInput):
    """A box for a number, as text: the browser's own kind throws away what it can't read."""

    def __init__(self, inputmode: str = "numeric") -> None:
        super().__init__(attrs={"inputmode": inputmode, "autocomplete": "off"})


class WholeNumber(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        return super().to_python(_bare(value))


class Dollars(forms.DecimalField):
    def to_python(self, value: Any) -> Any:
        return super().to_python(_bare(value))


def _bare(value: Any) -> Any:
    """A number as people write it, without the commas and the sign of the currency."""
    return value.replace(",", "").replace(" ", "").lstrip("$") if isinstance(value, str) else value


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The limits of a key. What is left empty is not limited."""

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = LIMITS
        field_classes = {
            "requests_per_minute": WholeNumber,
            "tokens_per_day": WholeNumber,
            "usd_per_month": Dollars,
        }
        widgets: dict[str, forms.Widget] = {
            "requests_per_minute": Figure(),
            "tokens_per_day": Figure(),
            "usd_per_month": Figure("decimal"),
        }
        labels = {
            "requests_per_minute": "Requests a minute",
            "tokens_per_day": "Tokens a day",
            "usd_per_month": "Dollars a month",
            "local_only": "Its prompts never leave the house",
        }
        error_messages = {
            "requests_per_minute": {"invalid": "Write a whole number, such as 30."},
            "tokens_per_day": {"invalid": "Write a whole number, such as 100,000."},
            "usd_per_month": {"invalid": "Write an amount, such as 2.50."},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spent = self.instance.usd_per_month
        if spent is not None:  # as it was written, and not 2.5000
            self.initial["usd_per_month"] = f"{spent.normalize():f}"

    def full_clean(self) -> None:
        """Leaves whoever wrote it in the first box that is wrong."""
        super().full_clean()
        for field in self:
            if field.errors:
                field.field.widget.attrs["autofocus"] = True
                break

    @property
    def figures(self) -> list[forms.BoundField]:
        """The limits that are numbers."""
        return [self[name] for name in LIMITS if name != "local_only"]


class NewKeyForm(LimitsForm):
    class Meta(LimitsForm.Meta):
        fields = ("name", *LIMITS)
        labels = {"name": "Name", **LimitsForm.Meta.labels}
        error_messages = {"name": {"required": NAME_WANTED}, **LimitsForm.Meta.error_messages}
        help_texts = {"name": "Whose it is: laptop, notebook, cron."}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            **LimitsForm.Meta.widgets,
        }

    def issue(self) -> tuple[ApiKey, str] | None:
        """The key and its secret; None, and errors to show, where something is wrong."""
        if not self.is_valid():
            return None
        try:
            return ApiKey.objects.issue(**self.cleaned_data)
        except forms.ValidationError as error:
            self.add_error(None, error)
            return None
