"""What is sent to the doors over HTTP, and, for the schema, what ``documents`` answers."""

from dataclasses import fields
from typing import Any

from rest_framework import serializers

from .bounds import LONGEST
from .circuit import Override, State
from .control import LARGEST_EPOCH, LONGEST_REASON
from .options import faults
from .pages import LONGEST_PAGE
from .policy import COUNTS, MAY_BE_NONE, OnStoreError, Policy
from .status import WORDS
from .strict import KnownSerializer, StrictSerializer

PRIVATE = "For operators; empty for others."
SAID = "A word of the machine, or an operator's own, which are empty for others."


def one_line(text: str) -> None:
    if not text.isprintable():
        raise serializers.ValidationError("This is more than one line of text.")


class Listing(KnownSerializer):
    """The query of a list."""

    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(min_value=1, max_value=LONGEST_PAGE, default=50)


class CircuitListing(Listing):
    state = serializers.ChoiceField(
        WORDS, required=False, help_text="Only circuits that are so to their callers."
    )


class Command(StrictSerializer):
    reason = serializers.CharField(
        max_length=LONGEST_REASON, validators=[one_line], help_text="Kept on record."
    )
    expected_epoch = serializers.IntegerField(
        min_value=0, max_value=LARGEST_EPOCH, required=False,
        help_text="Do it only if the circuit is still in this epoch.",
    )  # fmt: skip


class OverrideCommand(Command):
    expires_in = serializers.FloatField(
        min_value=1, max_value=LONGEST, required=False, allow_null=True,
        help_text="Seconds until the override ends by itself; without, somebody has to end it.",
    )  # fmt: skip


class Totals(serializers.Serializer[Any]):
    ok = serializers.IntegerField()
    failed = serializers.IntegerField()
    throttled = serializers.IntegerField()
    slow = serializers.IntegerField()


def _option(name: str, **choices: Any) -> serializers.Field[Any, Any, Any, Any]:
    if name == "on_store_error":
        return serializers.ChoiceField([word.value for word in OnStoreError], **choices)
    if name == "consecutive":
        return serializers.BooleanField(**choices)
    kind = serializers.IntegerField if name in COUNTS else serializers.FloatField
    return kind(**choices)


Options = type(
    "CircuitOptions",
    (serializers.Serializer,),
    {
        field.name: _option(field.name, allow_null=field.name in MAY_BE_NONE)
        for field in fields(Policy)
    },
)


class OptionsBase(StrictSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wrong = faults({name: value for name, value in attrs.items() if value is not None})
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


OptionsChange = type(
    "OptionsChange",
    (OptionsBase,),
    {field.name: _option(field.name, allow_null=True, required=False) for field in fields(Policy)},
)


class CircuitRow(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.ChoiceField([state.value for state in State])
    override = serializers.ChoiceField(
        [override.value for override in Override], allow_null=True,
        help_text="What an operator said, which goes before the state.",
    )  # fmt: skip
    override_ends_in = serializers.FloatField(
        allow_null=True, help_text="Seconds; null if somebody has to end it."
    )
    epoch = serializers.IntegerField(help_text="Another one after each transition.")
    calls = serializers.IntegerField(help_text="Within the window, as are the next four.")
    failures = serializers.IntegerField()
    slow = serializers.IntegerField()
    failure_rate = serializers.FloatField()
    slow_rate = serializers.FloatField()
    rejected = serializers.IntegerField(help_text="Since ever, or a reset, as are the totals.")
    totals = Totals()
    retry_after = serializers.FloatField(help_text="Seconds until a trial; 0 unless open.")
    attempt = serializers.IntegerField(help_text="Openings in a row.")
    opened_at = serializers.DateTimeField(allow_null=True)
    open_until = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField(
        allow_null=True, help_text="The last transition, whose reason and actor follow."
    )
    reason = serializers.CharField(help_text=SAID)
    actor = serializers.CharField(
        help_text="Empty if the circuit moved by itself. For operators; empty for others."
    )
    last_error = serializers.CharField(help_text=PRIVATE)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        ["shared", "local"],
        help_text="local: the store is out of reach, and this is what one process sees.",
    )
    config = Options(help_text="The options in force.")
    configured = OptionsChange(help_text="Those of them that were given at run time.")


class CircuitPage(serializers.Serializer[Any]):
    """Lists are read forwards only, so ``previous`` is always null."""

    results = CircuitRow(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class TransitionRow(serializers.Serializer[Any]):
    epoch = serializers.IntegerField()
    from_state = serializers.ChoiceField(WORDS)
    to_state = serializers.ChoiceField(WORDS)
    reason = serializers.CharField(help_text=SAID)
    actor = serializers.CharField(help_text=PRIVATE)
    at = serializers.DateTimeField()
    counts = Totals(help_text="Calls within the window at that moment.")
    last_error = serializers.CharField(help_text=PRIVATE)
    host = serializers.CharField(help_text=PRIVATE)
    pid = serializers.IntegerField(allow_null=True, help_text="For operators; null for others.")


class TransitionPage(serializers.Serializer[Any]):
    results = TransitionRow(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
