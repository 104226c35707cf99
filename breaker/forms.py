"""What operators fill in: a command, and the options of circuits."""

from dataclasses import fields
from typing import Any

from django import forms

from . import control
from .bounds import LONGEST
from .circuit import OVERRIDES, Verb
from .durations import parse
from .errors import CommandInvalid
from .models import BreakerConfig
from .options import faults
from .policy import COUNTS, OnStoreError, Policy

EFFECTS = {
    Verb.OPEN: "Open: refuse every call",
    Verb.CLOSE: "Close: begin to count anew",
    Verb.DISABLE: "Disable: admit every call and count none",
    Verb.METRICS_ONLY: "Metrics only: admit every call, count it and draw no conclusion",
    Verb.AUTO: "Automatic: end what an operator said, and go on where it was",
    Verb.RESET: "Reset: close, and forget the past",
}


def one_line(text: str) -> None:
    if not text.isprintable():
        raise forms.ValidationError("This is more than one line of text.")


class CommandForm(forms.Form):
    """``epoch`` is that of the circuit the operator saw."""

    epoch = forms.IntegerField(
        min_value=0, max_value=control.LARGEST_EPOCH, widget=forms.HiddenInput
    )
    verb = forms.ChoiceField(
        label="What to do",
        choices=[(verb.value, effect) for verb, effect in EFFECTS.items()],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        max_length=control.LONGEST_REASON,
        validators=[one_line],
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Kept on record with your name.",
    )
    lasting = forms.CharField(
        label="For",
        required=False,
        widget=forms.TextInput(attrs={"class": "short"}),
        help_text="Such as 10m or 2h, then it ends by itself; empty is until somebody ends it.",
    )

    def clean_lasting(self) -> float | None:
        text = self.cleaned_data["lasting"]
        if not text:
            return None
        try:
            seconds = parse(text)
        except CommandInvalid as error:
            raise forms.ValidationError(str(error)) from None
        if not 1 <= seconds <= LONGEST:
            raise forms.ValidationError("This must be from a second to thirty days.")
        return seconds

    def clean(self) -> None:
        given = self.cleaned_data
        if given.get("lasting") and given.get("verb") not in (*OVERRIDES, None):
            self.add_error("lasting", "This does not end by itself.")


OPTIONS = [field.name for field in fields(Policy)]
YES_OR_NO = {"true": True, "false": False}


class OptionsForm(forms.ModelForm):  # type: ignore[type-arg]
    """A field for each option; what is left empty is as code and settings say."""

    class Meta:
        model = BreakerConfig
        fields = ["pattern", "enabled"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.before = dict(self.instance.given)
        for name, value in self.instance.given.items():
            if name in OPTIONS:
                self.initial.setdefault(name, value)

    def clean(self) -> None:
        super().clean()
        given = {name: self.cleaned_data.get(name) for name in OPTIONS}
        told = {name: value for name, value in given.items() if value not in (None, "")}
        for name, fault in faults(told).items():
            self.add_error(name, fault)
        if not told and not self.errors:
            self.add_error(None, "Give it an option: one without any is deleted.")
        self.instance.options = told

    def _post_clean(self) -> None:
        # The model's own check would say of each fault once more, without its field.
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]


MEANING = {
    "failure_threshold": "So many failures, or slow calls, within the window open it.",
    "minimum_calls": "With fewer calls in the window nothing opens.",
    "failure_rate": "And at least this share of the calls failed, such as 0.5.",
    "consecutive": "Whether the failures must follow each other.",
    "slow_call_seconds": "A call that takes longer is slow.",
    "slow_rate": "And at least this share of the calls was slow.",
    "trip_quorum": "So many hosts must have met failures.",
    "window": "Seconds.",
    "open_timeout": "Seconds until the first trial.",
    "max_open_timeout": "Seconds that neither back-off nor Retry-After go beyond.",
    "backoff_factor": "Each opening in a row lasts so many times longer.",
    "jitter": "Up to this share is added to the open time.",
    "half_open_permits": "Trials at one time.",
    "success_threshold": "So many successful trials close it.",
    "half_open_timeout": "Seconds: a trial that takes longer has failed.",
    "on_store_error": "What to do while the store is out of reach.",
}


def _option(name: str) -> forms.Field:
    texts: dict[str, Any] = {"label": name, "help_text": MEANING[name], "required": False}
    if name == "on_store_error":
        words = [("", ""), *((word.value, word.value) for word in OnStoreError)]
        return forms.ChoiceField(choices=words, **texts)
    if name == "consecutive":
        words = [("", ""), ("true", "yes"), ("false", "no")]
        return forms.TypedChoiceField(
            choices=words, coerce=YES_OR_NO.get, empty_value=None, **texts
        )
    return (forms.IntegerField if name in COUNTS else forms.FloatField)(**texts)


ConfigForm = type("ConfigForm", (OptionsForm,), {name: _option(name) for name in OPTIONS})
