from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from .control import LONGEST_PAGE, LONGEST_REASON
from .inspection import Mode, Phase
from .models import ForcedRelease
from .names import LONGEST, Kind
from .options import LARGEST_FENCE
from .remote import LONGEST_LEASE, LONGEST_WAIT, SHORTEST_LEASE


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                dict.fromkeys(sorted(unknown), "This field is not known."), code="unknown"
            )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A string as it was sent: DRF's own would turn numbers into text and trim spaces."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Seconds(serializers.FloatField):
    """A number: DRF's own would take the text of one, and true for 1."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float):
            self.fail("invalid")
        return super().to_internal_value(data)


class Fence(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class Meta(serializers.DictField):
    """Texts without NUL, as all others are: what shows or stores them may end there."""

    default_error_messages = {"nul": "Null characters are not allowed."}

    def to_internal_value(self, data: Any) -> Any:
        if _holds_null(data):
            self.fail("nul")
        return super().to_internal_value(data)


def _holds_null(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(map(_holds_null, (*value, *value.values())))
        case list():
            return any(map(_holds_null, value))
    return False


class Name(Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": LONGEST} | options)


class Token(Text):
    def __init__(self, **options: Any) -> None:
        # Whole, because the store looks for it in what it remembers of others.
        whole = RegexValidator(r"\A[0-9a-f]{32}\Z", "This is not a token.")
        super().__init__(validators=[whole], **options)


class Acquisition(Strict):
    name = Name(help_text="1 to 200 bytes: the lock of that name, whoever else uses it.")
    lease = Seconds(
        min_value=SHORTEST_LEASE, max_value=LONGEST_LEASE, required=False,
        help_text="Seconds until the lock frees itself, unless it is extended.",
    )  # fmt: skip
    wait = Seconds(
        min_value=0, max_value=LONGEST_WAIT, default=0.0,
        help_text="Seconds to wait for a lock that is held.",
    )  # fmt: skip
    token = Token(
        required=False,
        help_text="32 lower-case hex digits of your own making, not to be guessed and new for each "
        "lease: the same call again then repeats its answer, should you have missed it.",
    )
    meta = Meta(
        required=False, help_text="Shown to those who look at the lock; at most 1,024 bytes."
    )


class Proof(Strict):
    name = Name()
    token = Token()


class Extension(Proof):
    lease = Seconds(min_value=SHORTEST_LEASE, max_value=LONGEST_LEASE, required=False)


class KindField(serializers.ChoiceField):
    def __init__(self, **options: Any) -> None:
        options = {"choices": [kind.value for kind in Kind], "default": Kind.LOCK} | options
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Kind:
        return Kind(super().to_internal_value(data))


class Force(Strict):
    name = Name()
    kind = KindField()
    fence = Fence(min_value=1, max_value=LARGEST_FENCE, help_text="Of the holder that is meant.")
    reason = Text(max_length=LONGEST_REASON, trim_whitespace=True)


class LeaseReply(serializers.Serializer[Any]):
    name = serializers.CharField()
    token = serializers.CharField()
    fence = serializers.IntegerField()
    lease = serializers.FloatField()
    expires_in = serializers.FloatField(help_text="Seconds for which the lease can be trusted.")


class Listing(Strict):
    """The query of a list."""

    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(min_value=1, max_value=LONGEST_PAGE, default=50)


class Which(Strict):
    """The query that names one lock."""

    name = Name()
    kind = KindField()


class HolderRow(serializers.Serializer[Any]):
    host = serializers.CharField()
    pid = serializers.IntegerField()
    thread = serializers.IntegerField()
    meta = serializers.DictField()


class HoldRow(serializers.Serializer[Any]):
    fence = serializers.IntegerField(source="holder.fence")
    mode = serializers.ChoiceField([mode.value for mode in Mode])
    phase = serializers.ChoiceField([phase.value for phase in Phase])
    held_for = serializers.FloatField(source="holder.held_for")
    expires_in = serializers.FloatField()
    host = serializers.CharField(source="holder.host")
    pid = serializers.IntegerField(source="holder.pid")
    thread = serializers.IntegerField(source="holder.thread")
    meta = serializers.DictField(source="holder.meta")


class WaiterRow(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    waited = serializers.FloatField()
    host = serializers.CharField()
    pid = serializers.IntegerField()


class LockRow(serializers.Serializer[Any]):
    """``fence``, ``holder``, ``held_for``, ``expires_in`` are of the oldest hold; null without."""

    name = serializers.CharField()
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    phase = serializers.ChoiceField([phase.value for phase in Phase])
    fence = serializers.IntegerField(source="holder.fence", allow_null=True)
    holder = HolderRow(allow_null=True)
    held_for = serializers.FloatField(source="holder.held_for", allow_null=True)
    expires_in = serializers.FloatField(allow_null=True)
    held = serializers.IntegerField(help_text="All who hold it: of a plain lock one at most.")
    holders = HoldRow(many=True, source="holds", help_text="The first of them.")
    waiting = serializers.IntegerField(help_text="All in line.")
    waiters = WaiterRow(many=True, help_text="The first of them.")
    grants = serializers.IntegerField()
    contended = serializers.IntegerField()
    forced = serializers.IntegerField()


class LockPage(serializers.Serializer[Any]):
    """A living list is read forwards only, so ``previous`` is always null."""

    results = LockRow(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ForcedReleaseRow(serializers.ModelSerializer[ForcedRelease]):
    class Meta:
        model = ForcedRelease
        fields = [
            "id",
            "name",
            "kind",
            "fence",
            "holder",
            "meta",
            "actor",
            "reason",
            "at",
            "outcome",
        ]
        read_only_fields = fields
