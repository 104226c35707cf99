from django.urls import path

from . import views

app_name = "locking"
urlpatterns = [
    path("locks", views.Locks.as_view(), name="locks"),
    path("locks/detail", views.OneLock.as_view(), name="detail"),
    path("locks/acquire", views.Acquire.as_view(), name="acquire"),
    path("locks/extend", views.Extend.as_view(), name="extend"),
    path("locks/release", views.Release.as_view(), name="release"),
    path("locks/force-release", views.ForceRelease.as_view(), name="force-release"),
]
