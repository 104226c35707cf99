from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from . import configs
from .errors import PolicyError


class States(models.TextChoices):
    CLOSED = "closed", "closed"
    OPEN = "open", "open"
    HALF_OPEN = "half_open", "half-open"


class Overrides(models.TextChoices):
    FORCED_OPEN = "forced_open", "forced open"
    DISABLED = "disabled", "disabled"
    METRICS_ONLY = "metrics_only", "metrics only"


LABELLED = [*States.choices, *Overrides.choices]
"""What a circuit is to a caller: its override, or else its state."""


class BreakerState(models.Model):
    """The latest known state of a circuit: what is left when the shared store loses its data."""

    name = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=States)
    override = models.CharField(max_length=12, choices=Overrides, blank=True)
    override_until = models.DateTimeField(null=True)
    """Null with an override: until somebody ends it."""
    epoch = models.PositiveBigIntegerField()
    attempt = models.PositiveIntegerField()
    opened_at = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    """Of the last transition, as is ``actor``."""
    actor = models.CharField(max_length=150, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = "breaker"
        ordering = ["name"]
        permissions = [("command", "Can open, close, override and configure breakers")]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_override_display() or self.get_state_display()}"


class BreakerTransition(models.Model):
    """A record of fact: never changed after it was written."""

    name = models.CharField(max_length=200)
    epoch = models.PositiveBigIntegerField()
    from_state = models.CharField(max_length=12, choices=LABELLED)
    to_state = models.CharField(max_length=12, choices=LABELLED)
    reason = models.CharField(max_length=300)
    """A word of the machine, or an operator's own."""
    actor = models.CharField(max_length=150, blank=True)
    """The operator; empty if the circuit moved by itself."""
    counts = models.JSONField()
    """ok, failed, throttled and slow calls in the window at that moment."""
    last_error = models.CharField(max_length=300, blank=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = "transition"
        ordering = ["-at", "-epoch"]
        constraints = [
            models.UniqueConstraint(fields=["name", "epoch"], name="breaker_transition_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_from_state_display()} to {self.get_to_state_display()}"


class BreakerConfig(models.Model):
    """Options of circuits by name or by pattern, over those of settings and code."""

    pattern = models.CharField(
        max_length=200, unique=True, help_text="A name, or a pattern such as imagen:*"
    )
    options = models.JSONField(default=dict, help_text="Options of a policy, by their names.")
    enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    """Counts the changes."""
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = "configuration"
        ordering = ["pattern"]

    def __str__(self) -> str:
        return self.pattern

    @property
    def given(self) -> dict[str, Any]:
        """The options, none if what was written past all checks are no options."""
        return self.options if isinstance(self.options, dict) else {}

    def clean(self) -> None:
        try:
            configs.check(self.pattern, self.options)
        except PolicyError as error:
            raise ValidationError(str(error)) from error
