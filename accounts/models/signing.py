"""Keys that sign requests, and the nonces that were spent with them."""

import secrets

from django.conf import settings
from django.db import models


def new_keyid() -> str:
    # Letters and digits: one that begins with a dash would be an option to each command it is
    # given to. It is no secret.
    return secrets.token_hex(11)


class KeyState(models.TextChoices):
    ACTIVE = "active"
    RETIRING = "retiring"
    """Replaced, and good until its end."""
    REVOKED = "revoked"


class SigningKey(models.Model):
    """A shared secret that acts as its owner, within its scopes. One that is revoked keeps none."""

    keyid = models.CharField(max_length=22, unique=True, default=new_keyid, editable=False)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signing_keys"
    )
    secret = models.TextField(editable=False)
    """Sealed; see ``accounts.sealed``."""
    scopes = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=KeyState.choices, default=KeyState.ACTIVE)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    """To the minute."""
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at"], name="accounts_keys_of_owner")]
        permissions = [("revoke_signingkey", "Can revoke signing keys")]

    def __str__(self) -> str:
        return f"signing key {self.keyid} of user {self.owner_id}"


class SpentNonce(models.Model):
    """A signature that was accepted, kept until it is too old to be accepted again."""

    digest = models.CharField(primary_key=True, max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"nonce {self.digest[:8]}"
