from django.urls import path

from . import views

app_name = "breaker"
urlpatterns = [
    path("breakers", views.Circuits.as_view(), name="breakers"),
    path("breakers/<path:name>/transitions", views.Transitions.as_view(), name="transitions"),
    path("breakers/<path:name>/config", views.Config.as_view(), name="config"),
    path("breakers/<path:name>/open", views.Open.as_view(), name="open"),
    path("breakers/<path:name>/close", views.Close.as_view(), name="close"),
    path("breakers/<path:name>/disable", views.Disable.as_view(), name="disable"),
    path("breakers/<path:name>/metrics-only", views.MetricsOnly.as_view(), name="metrics-only"),
    path("breakers/<path:name>/auto", views.Auto.as_view(), name="auto"),
    path("breakers/<path:name>/reset", views.Reset.as_view(), name="reset"),
    path("breakers/<path:name>", views.OneCircuit.as_view(), name="breaker"),
]
