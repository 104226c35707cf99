"""Login sessions, the refresh tokens of each, and one epoch per user.

No row holds a token or anything a token can be made from.
"""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q


def new_session_id() -> str:
    """256 bits, and no dash at the beginning, which commands take for an option."""
    made = secrets.token_urlsafe(32)
    return new_session_id() if made.startswith("-") else made


class UserEpoch(models.Model):
    """A counter that moves on when everything issued to the user before must die."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="token_epoch",
    )
    value = models.PositiveIntegerField(default=0)
    standing = models.CharField(max_length=64)
    """Digest of the password hash and the flags that this epoch was opened for."""

    def __str__(self) -> str:
        return f"epoch {self.value} of user {self.user_id}"


class LoginSession(models.Model):
    """One login on one device: the family of all refresh tokens that descend from it."""

    id = models.CharField(primary_key=True, max_length=43, default=new_session_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="login_sessions"
    )
    epoch = models.PositiveIntegerField()
    device = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=43, blank=True)
    """Network the login came from; the host part is never kept."""
    created_at = models.DateTimeField(db_index=True)
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    """Rotation does not move it."""
    revoked_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["user", "-created_at"],
                name="accounts_live_sessions",
                condition=Q(revoked_at=None),
            )
        ]
        permissions = [("end_loginsession", "Can end login sessions")]

    def __str__(self) -> str:
        return f"login session {self.pk[:8]} of user {self.user_id}"


class Refresh(models.Model):
    """A refresh token that was issued, known by the digest of its jti alone."""

    digest = models.CharField(primary_key=True, max_length=64)
    session = models.ForeignKey(LoginSession, on_delete=models.CASCADE, related_name="refreshes")
    generation = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    """By the database's clock."""

    class Meta:
        verbose_name = "refresh token"
        constraints = [
            # A family is a line: each token has one successor, even if the code should fail.
            models.UniqueConstraint(fields=["session", "generation"], name="accounts_one_successor")
        ]

    def __str__(self) -> str:
        return f"refresh token {self.generation} of session {self.session_id[:8]}"
