from django.apps import AppConfig


class MainstayConfig(AppConfig):
    name = "config"
    verbose_name = "Mainstay"

    def ready(self) -> None:
        from config import checks  # noqa: F401
