import re
from datetime import datetime
from typing import Any

from django.contrib.auth.models import PermissionsMixin
from django.utils import timezone
from rest_framework import serializers

from .models import LoginGuard, LoginSession, SigningKey
from .scopes import USUAL, Scope

LONGEST_PAGE = 200
# Ours have some 500 characters.
LONGEST_TOKEN = 8_192
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


class Text(serializers.CharField):
    """A string as it was sent: DRF's own would turn numbers into text and trim spaces."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                dict.fromkeys(sorted(unknown), "This field is not known."), code="unknown"
            )
        return super().to_internal_value(data)


class Nothing(Strict):
    """The body of what takes none: there may be an empty object."""


class Whole(serializers.IntegerField):
    """A number as it was sent: DRF's own would take texts and fractions."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """As RFC 3339 has it, with its zone: DRF's own would choose one where there is none."""

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not MOMENT.fullmatch(data):
            self.fail("invalid", format="2026-01-31T12:00:00Z")
        return super().to_internal_value(data)


class Listing(Strict):
    """The query of a list."""

    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LONGEST_PAGE)


class SignIn(Strict):
    username = Text(max_length=254)
    password = Text(max_length=1024, write_only=True)
    device = Text(max_length=100, required=False, allow_blank=True)
    device_token = Text(max_length=200, required=False, allow_blank=True, write_only=True)


class RefreshRequest(Strict):
    refresh = Text(max_length=LONGEST_TOKEN, write_only=True)


class Revocation(Strict):
    token = Text(max_length=LONGEST_TOKEN, write_only=True)
    token_type_hint = Text(max_length=100, required=False)


class Introspection(Revocation):
    pass


class IntrospectionReply(serializers.Serializer[Any]):
    active = serializers.BooleanField()
    sub = serializers.CharField(required=False)
    username = serializers.CharField(required=False)
    sid = serializers.CharField(required=False)
    token_type = serializers.CharField(required=False)
    iat = serializers.IntegerField(required=False)
    exp = serializers.IntegerField(required=False)


class PasswordChange(Strict):
    current_password = Text(max_length=1024, write_only=True)
    new_password = Text(max_length=1024, write_only=True)


class TokenPairReply(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    access_expires_at = serializers.DateTimeField()
    refresh_expires_at = serializers.DateTimeField()
    session = serializers.CharField()


class SignedInReply(TokenPairReply):
    device_token = serializers.CharField(
        allow_null=True,
        help_text="To be sent with the next login: it gets in where strangers have caused a lock.",
    )


class Reason(Strict):
    reason = Text(max_length=200)


class LockoutRow(serializers.ModelSerializer[LoginGuard]):
    """``username`` is null for a name that is no user's, of which only a digest is kept."""

    username = serializers.SerializerMethodField()
    failures = serializers.IntegerField(source="failed")
    addresses = serializers.SerializerMethodField()

    class Meta:
        model = LoginGuard
        fields = [
            "id", "username", "dimension", "failures", "level", "hard", "locked_until", "addresses",
        ]  # fmt: skip

    def get_username(self, guard: LoginGuard) -> str | None:
        return guard.user.get_username() if guard.user else None

    def get_addresses(self, guard: LoginGuard) -> list[str]:
        networks: dict[str, list[str]] = self.context["networks"]
        return networks.get(guard.digest, [])


class Me(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    username = serializers.CharField(source="get_username")
    is_staff = serializers.BooleanField()
    permissions = serializers.SerializerMethodField()
    session = serializers.SerializerMethodField()

    def get_id(self, user: PermissionsMixin) -> int | str:
        key: int | str = user.pk
        return key

    def get_permissions(self, user: PermissionsMixin) -> list[str]:
        return sorted(user.get_all_permissions())

    def get_session(self, _user: PermissionsMixin) -> str:
        return str(self.context["session"])


class SessionRow(serializers.ModelSerializer[LoginSession]):
    current = serializers.SerializerMethodField()

    class Meta:
        model = LoginSession
        fields = ["id", "device", "created_at", "last_used_at", "address", "current"]

    def get_current(self, session: LoginSession) -> bool:
        return bool(session.pk == self.context["session"])


class Revoked(serializers.Serializer[Any]):
    revoked = serializers.IntegerField()


class KeyRequest(Strict):
    name = Text(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(list(Scope)),
        allow_empty=False,
        max_length=len(Scope),
        required=False,
        help_text=f"{', '.join(USUAL)} unless given.",
    )
    not_before = Moment(required=False)
    not_after = Moment(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()
        if "not_after" in given and given["not_after"] <= max(now, given.get("not_before", now)):
            raise serializers.ValidationError({"not_after": "The key would never be valid."})
        return given


class Rotation(Strict):
    overlap_seconds = Whole(min_value=0, max_value=30 * 86_400, default=86_400)


class KeyRow(serializers.ModelSerializer[SigningKey]):
    scopes = serializers.ListField(child=serializers.ChoiceField(list(Scope)))

    class Meta:
        model = SigningKey
        fields = [
            "id", "keyid", "name", "state", "scopes", "not_before", "not_after", "last_used_at",
            "created_at",
        ]  # fmt: skip


class NewKeyRow(KeyRow):
    secret = serializers.CharField(help_text="32 bytes in base64url, shown this once.")
    tag = serializers.CharField()

    class Meta(KeyRow.Meta):
        fields = [*KeyRow.Meta.fields, "secret", "tag"]


class Jwks(serializers.Serializer[Any]):
    keys = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
