from django.apps import AppConfig


class GoogleConfig(AppConfig):
    name = "breaker.contrib.google"
    label = "google"
    verbose_name = "Google generations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401
