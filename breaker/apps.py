from django.apps import AppConfig


class BreakerConfig(AppConfig):
    name = "breaker"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, configs  # noqa: F401

        configs.connect()
