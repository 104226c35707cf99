from typing import Any

from django.conf import settings
from django.db import models


class EventKind(models.TextChoices):
    SUCCEEDED = "login_succeeded", "login succeeded"
    FAILED = "login_failed", "login failed"
    REFUSED = "login_refused", "login refused unseen"
    LOCKED = "account_locked", "account locked"
    UNLOCKED = "account_unlocked", "account unlocked"
    REVOKED = "session_revoked", "login session ended"
    REUSED = "refresh_reuse_detected", "refresh token reused"
    LIMITED = "login_rate_limited", "logins came too often"
    KEY_ISSUED = "signing_key_issued", "signing key made"
    KEY_ROTATED = "signing_key_rotated", "signing key replaced"
    KEY_NARROWED = "signing_key_narrowed", "signing key lost scopes"
    KEY_REVOKED = "signing_key_revoked", "signing key revoked"
    SIGNATURE_REFUSED = "signature_refused", "signature refused"


class AuthEvent(models.Model):
    """Something that happened to an account: written once, never changed, without a secret."""

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=32, choices=EventKind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="auth_events",
    )
    account = models.CharField(max_length=64, blank=True)
    """Digest of the account, which is all that is kept of a name that is no user's."""
    network = models.CharField(max_length=43, blank=True)
    device = models.CharField(max_length=100, blank=True)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "audit event"
        indexes = [models.Index(fields=["account", "-at"], name="accounts_events_of_account")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("what happened cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("what happened cannot be taken back; purge forgets what is old")
