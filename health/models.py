from django.db import models
from django.utils import timezone


class Words(models.TextChoices):
    PASS = "pass", "pass"
    WARN = "warn", "warn"
    FAIL = "fail", "fail"
    UNKNOWN = "unknown", "unknown"


class States(models.TextChoices):
    QUIET = "quiet", "quiet"
    PENDING = "pending", "pending"
    FIRING = "firing", "firing"
    RESOLVED = "resolved", "resolved"


class Origins(models.TextChoices):
    OWN = "own", "this site"
    PROMETHEUS = "prometheus", "Prometheus"


class HealthTransition(models.Model):
    """A record of fact: what one node saw change, and when. Never changed after it was written."""

    service = models.CharField(max_length=40)
    component = models.CharField(max_length=200)
    node = models.CharField(max_length=255)
    before = models.CharField(max_length=8, choices=Words)
    after = models.CharField(max_length=8, choices=Words)
    reason = models.CharField(max_length=20, blank=True)
    source = models.CharField(max_length=20, blank=True)
    """How it was found: active, passive, self."""
    at = models.DateTimeField()

    class Meta:
        verbose_name = "transition"
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["at"], name="health_transition_at"),
            models.Index(fields=["service", "at"], name="health_transition_service"),
        ]
        constraints = [
            # What is written again after a crash is there already.
            models.UniqueConstraint(
                fields=["node", "service", "component", "at"], name="health_transition_once"
            ),
        ]
        # It opens /health/detailed and the pages to people; machines have tokens and addresses.
        permissions = [("view_details", "Can see the details of health")]

    def __str__(self) -> str:
        return f"{self.service} {self.component}: {self.before} to {self.after}"


class Alert(models.Model):
    """Where one alert stands for the whole fleet. Whoever changes it first speaks for all nodes.

    What Prometheus says is on record beside it, and decides nothing here: both use the same names.
    """

    origin = models.CharField(max_length=10, choices=Origins, default=Origins.OWN)
    fingerprint = models.CharField(max_length=64, unique=True)
    alert = models.CharField(max_length=60)
    service = models.CharField(max_length=40)
    component = models.CharField(max_length=200)
    node = models.CharField(max_length=255, blank=True)
    """Only of an alert that concerns one node."""
    severity = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=States, default=States.QUIET)
    reason = models.CharField(max_length=20, blank=True)
    summary = models.CharField(max_length=300, blank=True)
    """In the words of its rule, of an alert of Prometheus."""
    since = models.DateTimeField(null=True)
    """When the condition began to hold."""
    fired_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    reporters = models.JSONField(default=dict)
    """Nodes that see the condition hold, and when each of them last said so."""
    told = models.JSONField(default=dict)
    """What each channel heard last, and when."""
    claimed_by = models.CharField(max_length=300, blank=True)
    claimed_until = models.DateTimeField(null=True)
    version = models.PositiveBigIntegerField(default=0)
    """Each change names the version it was made of, so only one of two succeeds."""

    class Meta:
        ordering = ["-changed_at"]
        indexes = [models.Index(fields=["state"], name="health_alert_state")]

    def __str__(self) -> str:
        return f"{self.alert} {self.service} {self.component}: {self.state}"


class Silence(models.Model):
    """Holds back the notices of the alerts it matches, until it expires."""

    alert = models.CharField(max_length=60, blank=True, help_text="Empty for every alert.")
    service = models.CharField(max_length=40, blank=True, help_text="Empty for every service.")
    author = models.CharField(max_length=150, editable=False)
    reason = models.CharField(max_length=300, help_text="Kept on record with your name.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-expires_at"]
        indexes = [models.Index(fields=["expires_at"], name="health_silence_expires")]

    def __str__(self) -> str:
        return f"{self.alert or 'every alert'} of {self.service or 'every service'}"


class Operations(models.Model):
    """Has no table: names the permission to see the page of all that is going on, and its place."""

    class Meta:
        managed = False
        verbose_name = verbose_name_plural = "operations"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return "operations"
