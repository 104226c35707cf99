from django.db import models


class States(models.TextChoices):
    CLOSED = "closed", "closed"
    OPEN = "open", "open"
    HALF_OPEN = "half_open", "half-open"


class BreakerState(models.Model):
    """The latest known state of a circuit: what is left when the shared store loses its data."""

    name = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=States)
    epoch = models.PositiveBigIntegerField()
    attempt = models.PositiveIntegerField()
    opened_at = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = "breaker"
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_state_display()}"


class BreakerTransition(models.Model):
    """A record of fact: never changed after it was written."""

    name = models.CharField(max_length=200)
    epoch = models.PositiveBigIntegerField()
    from_state = models.CharField(max_length=10, choices=States)
    to_state = models.CharField(max_length=10, choices=States)
    reason = models.CharField(max_length=40)
    counts = models.JSONField()
    """ok, failed and throttled calls in the window at that moment."""
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
