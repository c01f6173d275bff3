"""The login page: the owner's token, or a user's name and password."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..access.callers import user_by_token
from ..access.refusals import NOT_OURS

LOGIN_TEMPLATE = "registration/login.html"


class SignInForm(AuthenticationForm):
    """Takes either the token or a name and a password."""

    token = forms.CharField(
        label="The fleet's token",
        required=False,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "off", "autofocus": True, "aria-describedby": "token-hint"}
        ),
    )

    error_messages = {
        "invalid_login": "That name and password don't go together. Mind upper and lower case.",
        "inactive": "This account is switched off. Ask the fleet's owner.",
        "nothing": "Paste the fleet's token, or give a name and a password.",
        "wrong_token": NOT_OURS,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("username", "password"):
            self.fields[name].required = False
            self.fields[name].widget.attrs.pop("autofocus", None)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if self.request is not None and given.get("token"):
            self.user_cache = user_by_token(self.request, given["token"])
            if self.user_cache is None:
                raise self._refusal("wrong_token")
            return given
        if not (given.get("username") and given.get("password")):
            raise self._refusal("nothing")
        return super().clean()

    def _refusal(self, code: str) -> forms.ValidationError:
        return forms.ValidationError(self.error_messages[code], code=code)


class SignIn(LoginView):
    template_name = LOGIN_TEMPLATE
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Where they wanted to go, unless that was here."""
        wanted = super().get_success_url()
        return self.get_default_redirect_url() if wanted == self.request.path else wanted


def token_refused(request: HttpRequest, next_page: str) -> HttpResponse:
    """The login page for somebody whose address had a wrong token in it."""
    context = {"form": SignInForm(request), "next": next_page, "refusal": NOT_OURS}
    return render(request, LOGIN_TEMPLATE, context, status=403)
