"""What is known about guessing. No row tells a name that is not a user's, or an address."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Dimension(models.TextChoices):
    ACCOUNT = "account", "everybody"
    DEVICE = "device", "a known device"


class LoginGuard(models.Model):
    """The tries at one account, or of one known device of its owner; ``lockout`` has the rules."""

    dimension = models.CharField("tries of", max_length=8, choices=Dimension.choices)
    digest = models.CharField(max_length=64)
    # Without a constraint: the row is written outside the transaction that may just make the user.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        db_constraint=False,
        related_name="login_guards",
    )
    failed = models.PositiveIntegerField("failures")
    pending = models.PositiveIntegerField("under way")
    level = models.PositiveIntegerField()
    generation = models.PositiveIntegerField()
    hard = models.BooleanField("until unlocked")
    locked_until = models.DateTimeField(null=True, db_index=True)
    touched_at = models.DateTimeField("last try", db_index=True)

    class Meta:
        verbose_name = "lockout"
        constraints = [
            models.UniqueConstraint(fields=["dimension", "digest"], name="accounts_one_guard")
        ]
        indexes = [
            models.Index(fields=["hard"], name="accounts_hard_locks", condition=Q(hard=True))
        ]
        permissions = [("unlock_loginguard", "Can lock and unlock accounts")]

    def __str__(self) -> str:
        return f"guard {self.pk}"


class RateWindow(models.Model):
    """How often somebody came, while Redis cannot count it: this window and the one before."""

    digest = models.CharField(primary_key=True, max_length=64)
    number = models.BigIntegerField()
    """Of the window, counted since 1970."""
    current = models.PositiveIntegerField()
    previous = models.PositiveIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"window {self.number} of {self.digest[:8]}"
