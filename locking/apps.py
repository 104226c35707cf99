from django.apps import AppConfig


class LockingConfig(AppConfig):
    name = "locking"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401
