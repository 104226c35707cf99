"""The message of Alertmanager's webhook, version 4, as far as it is used.

Fields that are not named here are ignored: a later Alertmanager may say more, and what it has to
say must not be refused because of that.
"""

from datetime import UTC
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

# ``max_alerts`` of a webhook in Alertmanager bounds it there.
MOST_ALERTS = 500
MOST_LABELS, LONGEST_NAME, LONGEST_VALUE = 64, 200, 4_000
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"


class Text(serializers.CharField):
    """A string as it was sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Moment(serializers.RegexField):
    """RFC 3339, with up to nine digits of a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MOMENT, max_length=40, trim_whitespace=False, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        text = super().run_validation(data)
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None:
            self.fail("invalid")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("invalid")


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MOST_LABELS,
        "propertyNames": {"maxLength": LONGEST_NAME},
        "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE},
    }
)
class Labels(serializers.DictField):
    child = Text(max_length=LONGEST_VALUE, allow_blank=True)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > MOST_LABELS:
            raise serializers.ValidationError(f"No more than {MOST_LABELS} are taken.")
        if isinstance(data, dict) and any(len(name) > LONGEST_NAME for name in data):
            raise serializers.ValidationError(f"A name has {LONGEST_NAME} characters at most.")
        return super().to_internal_value(data)


class AlertmanagerAlert(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["firing", "resolved"])
    labels = Labels()
    annotations = Labels(required=False)
    startsAt = Moment()  # noqa: N815
    endsAt = Moment(required=False)  # noqa: N815
    fingerprint = Text(max_length=64)


class AlertmanagerMessage(serializers.Serializer[Any]):
    version = serializers.ChoiceField(["4"])
    alerts = serializers.ListField(child=AlertmanagerAlert(), max_length=MOST_ALERTS)


class Taken(serializers.Serializer[Any]):
    alerts = serializers.IntegerField(min_value=0)
    news = serializers.IntegerField(min_value=0)
