from django.apps import AppConfig


class MainstayConfig(AppConfig):
    name = "config"
    verbose_name = "Mainstay"
