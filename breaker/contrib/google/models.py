from uuid import uuid4

from django.conf import settings
from django.db import models

from locking import FencedModel

from .conf import Service


class Status(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    BLOCKED = "blocked"
    FAILED = "failed"
    SUBMISSION_UNKNOWN = "submission_unknown"


class Generation(FencedModel):
    """One order of one user, at most once paid for under its idempotency key."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="generations"
    )
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)

    service = models.CharField(max_length=16, choices=[(s.value, s.value) for s in Service])
    model = models.CharField(max_length=64)
    prompt = models.TextField()
    parameters = models.JSONField(default=dict)

    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    # Veo: set before the order is sent, and cleared only when it certainly was not begun.
    submitted_at = models.DateTimeField(null=True)
    operation = models.CharField(max_length=500, blank=True)
    polled_at = models.DateTimeField(null=True)

    text = models.TextField(blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "idempotency_key"], name="google_generation_key"
            )
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="google_generation_recent")]

    def __str__(self) -> str:
        return f"{self.service} {self.id}"

    @property
    def settled(self) -> bool:
        """Whether the same key brings this answer for good; a film, once ordered, is."""
        match self.status:
            case Status.SUCCEEDED | Status.BLOCKED | Status.SUBMISSION_UNKNOWN:
                return True
            case Status.FAILED:
                return bool(self.operation)
        return False


class GenerationResult(models.Model):
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="results")
    n = models.PositiveSmallIntegerField()
    media_type = models.CharField(max_length=40)
    size = models.PositiveBigIntegerField()
    file = models.FileField(max_length=200)

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["generation", "n"], name="google_result_n")]

    def __str__(self) -> str:
        return f"{self.generation_id} {self.n}"
