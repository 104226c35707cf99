from typing import Any

from django.contrib.auth.models import PermissionsMixin
from rest_framework import serializers

from .models import LoginGuard, LoginSession


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


class SignIn(Strict):
    username = Text(max_length=254)
    password = Text(max_length=1024, write_only=True)
    device = Text(max_length=100, required=False, allow_blank=True)
    device_token = Text(max_length=200, required=False, allow_blank=True, write_only=True)


class RefreshRequest(Strict):
    refresh = Text(write_only=True)


class Revocation(Strict):
    token = Text(write_only=True)
    token_type_hint = Text(required=False)


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


class Jwks(serializers.Serializer[Any]):
    keys = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
