"""A fenced table of the tests alone. Its label is no installed app, so it has no migration."""

from django.db import models

from locking import FencedModel


class Owner(models.Model):
    class Meta:
        app_label = "locking_tests"

    def __str__(self) -> str:
        return f"owner {self.pk}"


class Job(FencedModel):
    owner = models.ForeignKey(Owner, models.CASCADE, null=True)
    state = models.CharField(max_length=20, default="new")
    note = models.CharField(max_length=20, default="")
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "locking_tests"


class Errand(Job):
    place = models.CharField(max_length=20)

    class Meta:
        app_label = "locking_tests"
