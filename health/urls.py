from django.urls import path

# Whoever mounts the routes has them in the OpenAPI document, with their way to sign in.
from . import schema, views  # noqa: F401

app_name = "health"
urlpatterns = [path("hook", views.HookView.as_view(), name="hook")]
