from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import audit, checks, login_checks, receivers, schema, store_checks  # noqa: F401

        receivers.connect()
        audit.connect()
