from django.urls import path

from . import views

app_name = "google"

urlpatterns = [
    path("generations", views.Generations.as_view(), name="generations"),
    path("generations/<uuid:pk>", views.OneGeneration.as_view(), name="generation"),
    path("generations/<uuid:pk>/content/<int:n>", views.Content.as_view(), name="content"),
]
