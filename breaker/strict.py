"""What a caller sends, taken as it was sent."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class KnownSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            raise serializers.ValidationError(
                dict.fromkeys(unknown, "This field is not known."), code="unknown"
            )
        return value


class StrictSerializer(KnownSerializer):
    """Refuses values of another JSON type as well.

    DRF would turn 5 into "5" and "yes" into true, and what was not meant would be done.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = self.fields.keys() & data.keys()
            if wrong := [name for name in known if not _fits(self.fields[name], data[name])]:
                raise serializers.ValidationError({name: ["Wrong type."] for name in wrong})
        return super().to_internal_value(data)


def _fits(field: serializers.Field[Any, Any, Any, Any], value: Any) -> bool:
    if value is None:
        return True  # the field itself knows whether it may be
    # By identity, because to Python true is an integer.
    match field:
        case serializers.ChoiceField():
            return type(value) in {type(choice) for choice in field.choices}
        case serializers.CharField():
            return type(value) is str
        case serializers.BooleanField():
            return type(value) is bool
        case serializers.IntegerField():
            return type(value) is int
        case serializers.FloatField():
            return type(value) in (int, float)
    return True
