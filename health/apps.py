from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "health"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401
        from .alerting import checks as alerting_checks  # noqa: F401
        from .alerting import notifier

        notifier.connect()
