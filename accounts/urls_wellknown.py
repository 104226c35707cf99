"""To be mounted at ``/.well-known/``."""

from django.urls import path

from . import views

app_name = "accounts-wellknown"
urlpatterns = [path("jwks.json", views.JwksView.as_view(), name="jwks")]
