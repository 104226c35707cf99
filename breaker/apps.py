from django.apps import AppConfig


class BreakerConfig(AppConfig):
    name = "breaker"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
        from django.http import Http404

        from . import checks, classify, configs  # noqa: F401

        classify.take_for_answers(Http404, PermissionDenied, SuspiciousOperation, BadRequest)
        configs.connect()
